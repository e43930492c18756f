#include "compare_chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ostream>
#include <set>

#include "clmx/devices/error.hpp"
#include "compare_report.hpp"
#include "compare_svg.hpp"
#include "markup.hpp"
#include "text_table.hpp"

namespace clmx::cli {
namespace {

constexpr double row_height = 18, mark_height = 8, label_width = 210, plot_width = 430, top = 24;
constexpr double least = 1e-4, most = 10;  // of the logarithmic axis

std::vector<std::string> op_names(const std::vector<ComparedDevice>& devices) {
  std::set<std::string> names;
  for (const ComparedDevice& device : devices) {
    for (const ComparedCase& one : device.cases) names.insert(one.op);
  }
  return {names.begin(), names.end()};
}

double log_position(double share) {
  const double bounded = std::clamp(share, least, most);
  return label_width + plot_width * std::log10(bounded / least) / std::log10(most / least);
}

void write_log_axis(std::ostream& out, double bottom) {
  for (double share = least; share <= most * 1.01; share *= 10) {
    const bool limit = std::abs(share - 1) < 0.01;
    upright(out, log_position(share), top - 6, bottom, limit ? "limit" : "axis");
    text(out, log_position(share), top - 10, limit ? "1 budget" : join(share),
         "text-anchor=\"middle\" class=\"faint\"");
  }
}

const ComparedOp* named(const std::vector<ComparedOp>& ops, const std::string& name) {
  const auto found = std::ranges::find(ops, name, &ComparedOp::name);
  return found == ops.end() ? nullptr : &*found;
}

std::vector<std::vector<ComparedOp>> ops_of(const std::vector<ComparedDevice>& devices) {
  std::vector<std::vector<ComparedOp>> all;
  all.reserve(devices.size());
  for (const ComparedDevice& device : devices) all.push_back(by_op(device));
  return all;
}

std::string heat_sign(const ComparedOp& op) {
  if (op.wrong > 0) return "!";
  return op.other_bits > 0 ? "\u2260" : "";
}

void write_heat_cell(std::ostream& out, double x, double y, const ComparedOp* op) {
  if (op == nullptr)
    return text(out, x + 40, y + 13, "-", "text-anchor=\"middle\" class=\"faint\"");
  const double mean = std::min(op->error.mean(), 1.0);
  out << "<rect x=\"" << x + 1 << "\" y=\"" << y + 1 << "\" width=\"78\" height=\""
      << row_height - 2 << "\" style=\"fill:"
      << (op->wrong > 0 ? "var(--wrong)" : join("rgba(var(--heat),", fixed(0.05 + mean, 3), ')'))
      << "\"><title>"
      << escaped_markup(join(op->name, ": mean ", op->error.mean(), ", worst ", op->error.worst(),
                             ", ", op->cases, " cases"))
      << "</title></rect>\n";
  text(out, x + 40, y + 13, heat_sign(*op), "text-anchor=\"middle\"");
}

constexpr std::array bin_names{"0",     "1",      "2",       "3-4",     "5-8",      "9-16", "17-32",
                               "33-64", "65-128", "129-256", "257-512", "513-1024", "more"};
static_assert(bin_names.size() == ErrorMeasure::bins);

}  // namespace

void write_error_chart(std::ostream& out, const std::vector<ComparedDevice>& devices) {
  const std::vector<std::string> names = op_names(devices);
  const auto ops = ops_of(devices);
  const double height = 10 + mark_height * static_cast<double>(devices.size());
  const double bottom = top + height * static_cast<double>(names.size());
  write_key(out, selectors_of(devices));
  open_svg(out, label_width + plot_width + 20, bottom + 8, "worst error of each op and device");
  write_log_axis(out, bottom);
  for (std::size_t row = 0; row < names.size(); ++row) {
    const double y = top + height * static_cast<double>(row);
    text(out, label_width - 10, y + height / 2 + 4, names[row], "text-anchor=\"end\"");
    for (std::size_t d = 0; d < devices.size(); ++d) {
      const ComparedOp* const op = named(ops[d], names[row]);
      if (op == nullptr) continue;
      const double at = y + 5 + mark_height * (static_cast<double>(d) + 0.5);
      mark(out, log_position(op->error.worst()), at, d,
           join(devices[d].selector, ", ", op->name, ": ", op->error.worst()));
    }
  }
  close_svg(out);
}

void write_heat_map(std::ostream& out, const std::vector<ComparedDevice>& devices) {
  const std::vector<std::string> names = op_names(devices);
  const auto ops = ops_of(devices);
  open_svg(out, std::max(label_width + 80 * static_cast<double>(devices.size()), 660.0),
           top + row_height * static_cast<double>(names.size()) + 8, "mean errors");
  for (std::size_t d = 0; d < devices.size(); ++d) {
    text(out, label_width + 80 * static_cast<double>(d) + 40, top - 8, devices[d].selector,
         "text-anchor=\"middle\"");
  }
  for (std::size_t row = 0; row < names.size(); ++row) {
    const double y = top + row_height * static_cast<double>(row);
    text(out, label_width - 10, y + 13, names[row], "text-anchor=\"end\"");
    for (std::size_t d = 0; d < devices.size(); ++d)
      write_heat_cell(out, label_width + 80 * static_cast<double>(d), y, named(ops[d], names[row]));
  }
  close_svg(out);
}

void write_ulp_chart(std::ostream& out, const std::vector<ComparedDevice>& devices) {
  constexpr double bar = 13, gap = 8;
  const double group = bar * static_cast<double>(devices.size()) + gap;
  std::vector<ErrorMeasure> all(devices.size());
  for (std::size_t d = 0; d < devices.size(); ++d) {
    for (const ComparedCase& one : devices[d].cases) all[d].add(one.error);
  }
  write_key(out, selectors_of(devices));
  open_svg(out, label_width + plot_width + 20, group * ErrorMeasure::bins + 8, "distances in ulps");
  for (std::size_t bin = 0; bin < ErrorMeasure::bins; ++bin) {
    const double y = group * static_cast<double>(bin);
    text(out, 70, y + group / 2 + 4, bin_names[bin], "text-anchor=\"end\"");
    for (std::size_t d = 0; d < devices.size(); ++d) {
      const double part = static_cast<double>(all[d].ulps()[bin]) /
                          static_cast<double>(std::max<std::int64_t>(all[d].elements(), 1));
      const double at = y + bar * static_cast<double>(d);
      out << "<rect x=\"80\" y=\"" << at << "\" width=\"" << part * 440 << "\" height=\"" << bar - 2
          << "\" fill=\"" << colour(d) << "\"/>\n";
      text(out, 86 + part * 440, at + bar - 3, fixed(part * 100, 3) + " %", "class=\"faint\"");
    }
  }
  close_svg(out);
}

}  // namespace clmx::cli
