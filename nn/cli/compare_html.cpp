#include "compare_html.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "clmx/devices/error.hpp"
#include "compare_chart.hpp"
#include "compare_page.hpp"
#include "compare_report.hpp"
#include "markup.hpp"

namespace clmx::cli {
namespace {

constexpr std::size_t most_cases = 20;  // of the table of the worst

void write_devices(std::ostream& out, const std::vector<ComparedDevice>& devices) {
  out << "<h2>Devices</h2>\n<div class=\"wide\"><table>\n"
      << row_of({"device", "name", "cases", "wrong", "other bits", "first wrong op"}, "th");
  for (const ComparedDevice& device : devices) {
    std::size_t wrong = 0, others = 0;
    for (const ComparedOp& op : by_op(device)) {
      wrong += op.wrong;
      others += op.other_bits;
    }
    const ComparedCase* const first = first_wrong(device);
    out << row_of({device.selector, device.name, std::to_string(device.cases.size()),
                   std::to_string(wrong), std::to_string(others),
                   first == nullptr ? "none" : first->op + ": " + first->name});
  }
  out << "</table></div>\n";
}

struct WorstCase {
  const ComparedDevice* device;
  const ComparedCase* found;
};

/// Wrong ones first, then by the share of the budget.
std::vector<WorstCase> worst_cases(const std::vector<ComparedDevice>& devices) {
  std::vector<WorstCase> all;
  for (const ComparedDevice& device : devices) {
    for (const ComparedCase& one : device.cases) all.push_back({&device, &one});
  }
  const auto before = [](const WorstCase& a, const WorstCase& b) {
    const bool a_fails = !a.found->failure.empty(), b_fails = !b.found->failure.empty();
    if (a_fails != b_fails) return a_fails;
    return a.found->error.worst() > b.found->error.worst();
  };
  std::ranges::stable_sort(all, before);
  all.resize(std::min(all.size(), most_cases));
  return all;
}

void write_worst(std::ostream& out, const std::vector<ComparedDevice>& devices,
                 const CompareOpsOptions& options) {
  out << "<h2>Worst cases</h2>\n<div class=\"wide\"><table>\n"
      << row_of({"device", "case", "of budget", "what", "repeat"}, "th");
  for (const auto& [device, one] : worst_cases(devices)) {
    const bool wrong = !one->failure.empty();
    out << "<tr>" << cell(device->selector) << cell(one->name)
        << cell(short_number(one->error.worst()), wrong ? "n bad" : "n")
        << cell(wrong ? one->failure : "within") << "<td><code>"
        << escaped_markup(repeat_command(*one, *device, options)) << "</code></td></tr>\n";
  }
  out << "</table></div>\n";
}

}  // namespace

std::string to_html(const std::vector<ComparedDevice>& devices, const CompareOpsOptions& options,
                    const NumericsOfDevices& numerics) {
  std::ostringstream out;
  open_page(out, "clmx compare: every op against float64");
  write_devices(out, devices);
  out << "<h2>Worst error of each op</h2>\n<p>As a share of its budget, on a logarithmic axis; the "
         "line is the limit. The budget includes the one rounding of the result, which alone takes "
         "nearly all of it where a result of 16 bits is right. Ops that have to be exact stand at "
         "the left when they are.</p>\n";
  write_error_chart(out, devices);
  out << "<h2>Ops and devices</h2>\n<p>The mean error as a share of the budget: the darker, the "
         "nearer to the limit. ! marks wrong results, &#8800; other bits than an earlier device's."
         "</p>\n";
  write_heat_map(out, devices);
  out << "<h2>Distances in units of the last place</h2>\n<p>Elements of all ops by their distance "
         "from the rounded reference.</p>\n";
  write_ulp_chart(out, devices);
  write_worst(out, devices, options);
  write_numerics(out, selectors_of(devices), numerics);
  close_page(out);
  return out.str();
}

}  // namespace clmx::cli
