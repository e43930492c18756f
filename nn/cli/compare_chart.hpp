#pragma once

#include <iosfwd>
#include <vector>

#include "compare_ops.hpp"

namespace clmx::cli {

/// Inline SVG. Colours are the page's variables --d0 to --d5, --line, --wrong and --heat.
void write_error_chart(std::ostream& out, const std::vector<ComparedDevice>& devices);
void write_heat_map(std::ostream& out, const std::vector<ComparedDevice>& devices);
void write_ulp_chart(std::ostream& out, const std::vector<ComparedDevice>& devices);

}  // namespace clmx::cli
