#pragma once

#include <string>
#include <vector>

namespace clmx::cli {

using Row = std::vector<std::string>;

/// Columns as wide as their widest cell, to stdout. The rows have equal numbers of cells.
void print_table(const std::vector<Row>& rows);

/// A number with so many digits after the point.
std::string fixed(double value, int digits);
/// Three digits that count: "0.652", "2.9e-06".
std::string short_number(double value);

}  // namespace clmx::cli
