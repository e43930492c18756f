#include "compare_html.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "clmx/devices/error.hpp"
#include "compare_chart.hpp"
#include "compare_report.hpp"
#include "markup.hpp"
#include "numerics_report.hpp"

namespace clmx::cli {
namespace {

constexpr std::size_t most_cases = 20;  // of the table of the worst

constexpr const char* style = R"(
:root{--back:#fff;--ink:#1b1f24;--faint:#667;--line:#d0d7de;--wrong:#c0262d;
--d0:#0063a6;--d1:#c04e00;--d2:#00785a;--d3:#a8427f;--d4:#8a6a00;--d5:#5b4bc4;--heat:0,99,166}
@media(prefers-color-scheme:dark){:root{--back:#14171c;--ink:#e6e8eb;--faint:#9aa4b2;--line:#343b46;
--wrong:#ff6b70;--d0:#58b4f5;--d1:#ff9a52;--d2:#3fcf9f;--d3:#f08cc8;--d4:#e8c14a;--d5:#a99cff;
--heat:88,180,245}}
body{background:var(--back);color:var(--ink);font:15px/1.45 system-ui,sans-serif;margin:0 auto;
max-width:62em;padding:1em}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.8em}p,.note{color:var(--faint);max-width:46em}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid var(--line);padding:.25em .6em;text-align:left;white-space:nowrap}
td.n{text-align:right}.bad{color:var(--wrong);font-weight:600}code{font-size:.9em}
svg{display:block;min-width:34em;width:100%;height:auto}svg text{fill:var(--ink);font:12px
system-ui,sans-serif}svg .axis{stroke:var(--line)}svg .limit{stroke:var(--wrong);stroke-width:1.5}
svg .faint{fill:var(--faint)}.key{display:inline-block;margin-right:1.2em;white-space:nowrap}
)";

std::string cell(const std::string& text, const char* kind = "") {
  return join("<td", *kind ? join(" class=\"", kind, "\"") : "", '>', escaped_markup(text),
              "</td>");
}

std::string row_of(const Row& cells, const char* tag = "td") {
  std::string row = "<tr>";
  for (const std::string& each : cells)
    row += join('<', tag, '>', escaped_markup(each), "</", tag, '>');
  return row + "</tr>\n";
}

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

void write_numerics(std::ostream& out, const std::vector<ComparedDevice>& devices,
                    const NumericsOfDevices& numerics) {
  out << "<h2>How each device computes</h2>\n<p>Its own arithmetic and built-in functions, by "
         "values. clmx uses none of the functions.</p>\n";
  for (std::size_t i = 0; i < numerics.size(); ++i) {
    out << "<h3>" << escaped_markup(devices[i].selector) << "</h3>\n";
    if (!numerics[i]) {
      out << "<p>could not be measured</p>\n";
      continue;
    }
    out << "<div class=\"wide\"><table>\n";
    for (const Row& row : arithmetic_rows(*numerics[i])) out << row_of(row);
    out << "</table><table>\n";
    for (const Row& row : function_rows(*numerics[i])) out << row_of(row);
    out << "</table></div>\n";
  }
}

}  // namespace

std::string to_html(const std::vector<ComparedDevice>& devices, const CompareOpsOptions& options,
                    const NumericsOfDevices& numerics) {
  std::ostringstream out;
  out << "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n"
         "<title>clmx compare</title><style>"
      << style << "</style></head><body>\n<h1>clmx compare: every op against float64</h1>\n";
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
  write_numerics(out, devices, numerics);
  out << "</body></html>\n";
  return out.str();
}

}  // namespace clmx::cli
