#pragma once

#include <span>
#include <string>

#include "clmx/host/array.hpp"

namespace clmx {

/// XXH3-128 over dtypes, shapes and bytes of an op's results, as 32 hexadecimal digits. Every NaN
/// counts as one: its payload is not part of any promise.
std::string digest_of(std::span<const Array> outputs);

}  // namespace clmx
