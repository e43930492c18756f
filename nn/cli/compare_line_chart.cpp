#include "compare_line_chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ostream>

#include "clmx/devices/error.hpp"
#include "compare_svg.hpp"

namespace clmx::cli {
namespace {

constexpr double left = 60, width = 580, top = 14, height = 240, bottom = top + height;
constexpr std::size_t most_labels = 16, most_marks = 80;

/// Whole decades around all values above 0.
struct Decades {
  int first = 0, last = 1;

  explicit Decades(const LineChart& chart) {
    double least = INFINITY, most = 0;
    const auto take = [&](double value) {
      if (!(value > 0) || !std::isfinite(value)) return;
      least = std::min(least, value);
      most = std::max(most, value);
    };
    for (const Series& series : chart.series) std::ranges::for_each(series.values, take);
    if (chart.limit) take(*chart.limit);
    if (most == 0) return;
    first = static_cast<int>(std::floor(std::log10(least)));
    last = std::max(static_cast<int>(std::ceil(std::log10(most))), first + 1);
  }
  double y(double value) const {
    if (std::isnan(value)) return top;  // no number is as bad as the worst
    const double log = value > 0 ? std::log10(value) : first;
    const double share = (std::clamp<double>(log, first, last) - first) / (last - first);
    return bottom - height * share;
  }
};

double x_of(std::size_t point, std::size_t points) {
  if (points < 2) return left + width / 2;
  return left + width * static_cast<double>(point) / static_cast<double>(points - 1);
}

void across(std::ostream& out, double y, const char* kind) {
  out << "<line class=\"" << kind << "\" x1=\"" << left << "\" x2=\"" << left + width << "\" y1=\""
      << y << "\" y2=\"" << y << "\"/>\n";
}

void write_axes(std::ostream& out, const LineChart& chart, const Decades& decades) {
  const int step = std::max((decades.last - decades.first) / 8, 1);
  for (int power = decades.first; power <= decades.last; power += step) {
    const double y = decades.y(std::pow(10.0, power));
    across(out, y, "axis");
    text(out, left - 8, y + 4, join("1e", power), "text-anchor=\"end\" class=\"faint\"");
  }
  if (chart.limit) across(out, decades.y(*chart.limit), "limit");
  const std::size_t each = (chart.labels.size() + most_labels - 1) / most_labels;
  for (std::size_t i = 0; i < chart.labels.size(); i += std::max<std::size_t>(each, 1))
    text(out, x_of(i, chart.labels.size()), bottom + 18, chart.labels[i],
         "text-anchor=\"middle\" class=\"faint\"");
}

/// Dashes differ, so that lines that lie on each other can be told apart.
void write_series(std::ostream& out, const LineChart& chart, std::size_t number,
                  const Decades& decades) {
  constexpr std::array dashes{"none", "7 4", "2 3", "9 3 2 3"};
  const Series& series = chart.series[number];
  const std::size_t count = series.values.size();
  out << "<polyline fill=\"none\" stroke=\"" << colour(number)
      << "\" stroke-width=\"1.6\" stroke-dasharray=\"" << dashes[number % dashes.size()]
      << "\" points=\"";
  for (std::size_t i = 0; i < count; ++i)
    out << x_of(i, count) << ',' << decades.y(series.values[i]) << ' ';
  out << "\"/>\n";
  // Lines that lie on each other take turns with their marks.
  const std::size_t wanted = chart.series.size() * ((count + most_marks - 1) / most_marks);
  const std::size_t turns = std::min(wanted, count);
  for (std::size_t i = 0; i < count; ++i) {
    if (i % turns != number % turns) continue;
    mark(out, x_of(i, count), decades.y(series.values[i]), number,
         join(series.name, ", ", chart.points[i], ": ", series.values[i]));
  }
}

}  // namespace

void write_line_chart(std::ostream& out, const LineChart& chart) {
  std::vector<std::string> names;
  for (const Series& series : chart.series) names.push_back(series.name);
  write_key(out, names);
  open_svg(out, left + width + 20, bottom + 28, chart.title);
  const Decades decades(chart);
  write_axes(out, chart, decades);
  for (std::size_t i = 0; i < chart.series.size(); ++i) write_series(out, chart, i, decades);
  close_svg(out);
}

}  // namespace clmx::cli
