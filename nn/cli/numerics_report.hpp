#pragma once

#include <string>

#include "json_output.hpp"
#include "numerics.hpp"

namespace clmx::cli {

Json described(const Numerics& numerics);
/// A table under the device's name, to stdout.
void print_numerics(const std::string& device, const Numerics& numerics);

}  // namespace clmx::cli
