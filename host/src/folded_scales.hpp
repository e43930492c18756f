#pragma once

#include "clmx/host/quantization.hpp"

namespace clmx {

/// The scales that dequantized elements are multiplied by: the stored ones, or with a global_scale
/// f32 r32(scale * r32(global_scale / 2688)), made by the host on first use and kept with the
/// weight. Any thread may ask.
Array folded_scales(const QuantizedWeight& w);

/// The same of the parts alone: E4M3 scales [..., out, groups] and a checked global_scale.
Array folded(const Array& global_scale, const Array& scales);

}  // namespace clmx
