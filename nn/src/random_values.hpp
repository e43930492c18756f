#pragma once

#include <cstdint>
#include <string_view>

#include "clmx/host/array.hpp"

namespace clmx {

/// f32 values uniform in [-bound, bound]. Element i is a function of seed and i alone
/// (counter-based: splitmix64 of a mixed seed plus i), computed on the host: the same on every
/// device.
Array uniform_array(const Shape& shape, float bound, std::uint64_t seed);
/// f32 normal values of that deviation: uniform ones by the inverse of the normal distribution.
Array normal_array(const Shape& shape, float deviation, std::uint64_t seed);

/// Throws ArgumentError, naming the field, unless value is positive.
void require_positive(std::int64_t value, std::string_view layer, std::string_view field);

}  // namespace clmx
