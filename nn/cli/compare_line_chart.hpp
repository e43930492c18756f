#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace clmx::cli {

/// One line of a chart: as many values as the chart has points.
struct Series {
  std::string name;
  std::vector<double> values;
};

struct LineChart {
  const char* title;
  std::vector<std::string> points;  ///< what each place on the axis is, for the reader's pointer
  std::vector<std::string> labels;  ///< the short form below the axis; of many some are left out
  std::vector<Series> series;
  std::optional<double> limit = {};  ///< a line across
};

/// Inline SVG with a logarithmic axis over the decades that the values need; values that are not
/// above 0 stand at its foot.
void write_line_chart(std::ostream& out, const LineChart& chart);

}  // namespace clmx::cli
