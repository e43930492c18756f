#pragma once

#include "clmx/host/quantization.hpp"

namespace clmx {

/// What the scales of each matrix of the weight are multiplied by: r32(global_scale / 2688), f32,
/// one per matrix. Computed once, by the host, which waits for a global_scale that a device makes.
Array scale_factors(const QuantizedWeight& w);

}  // namespace clmx
