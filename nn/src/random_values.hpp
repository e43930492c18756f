#pragma once

#include <cstdint>
#include <vector>

namespace clmx {

/// n values uniform in [-bound, bound), from a counter-based generator (splitmix64): the same on
/// every platform.
std::vector<float> uniform_values(std::size_t n, float bound, std::uint64_t seed);
/// n normal values of that deviation (sums of twelve uniforms).
std::vector<float> normal_values(std::size_t n, float deviation, std::uint64_t seed);

}  // namespace clmx
