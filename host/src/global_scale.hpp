#pragma once

#include <vector>

#include "clmx/host/quantization.hpp"

namespace clmx {

/// r32(global_scale / 2688) of each number of a global_scale: what scales are multiplied by.
std::vector<float> factors_of(const Array& global_scale);

/// What the scales of each matrix of the weight are multiplied by: r32(global_scale / 2688), f32,
/// one per matrix. Computed once, by the host, which waits for a global_scale that a device makes.
Array scale_factors(const QuantizedWeight& w);

}  // namespace clmx
