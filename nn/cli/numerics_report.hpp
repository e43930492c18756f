#pragma once

#include <string>

#include "json_output.hpp"
#include "numerics.hpp"
#include "text_table.hpp"

namespace clmx::cli {

Json described(const Numerics& numerics);
/// What was measured and what was found, two cells a row; functions with their worst error.
std::vector<Row> arithmetic_rows(const Numerics& numerics);
std::vector<Row> function_rows(const Numerics& numerics);
/// A table under the device's name, to stdout.
void print_numerics(const std::string& device, const Numerics& numerics);

}  // namespace clmx::cli
