#include <cmath>

#include "reference_decode.hpp"

namespace clmx::reference {
namespace {

/// The finite value of the format's codes that is nearest to z, ties to the even code; the sign is
/// z's.
double nearest(const QuantizationParams& params, float z) {
  const bool eight = params.mode == QuantizationMode::mxfp8;
  const std::uint32_t codes = eight ? 0x7f : 8;  // 0x7f itself is NaN
  const double magnitude = std::abs(static_cast<double>(z));
  double best = 0, least = INFINITY;
  for (std::uint32_t code = 0; code < codes; ++code) {
    const double value = element_value(params, code), distance = std::abs(magnitude - value);
    if (distance < least || (distance == least && code % 2 == 0)) {
      least = distance;
      best = value;
    }
  }
  return std::copysign(best, z);
}

/// The nearest E4M3 number to a scale, at most 448.
float nvfp4_scale(float wanted) {
  return static_cast<float>(nearest({QuantizationMode::mxfp8}, wanted));
}

float power_not_below(float ratio) {
  if (ratio == 0) return 0x1p-127f;
  int exponent = -149;
  while (std::ldexp(1.0, exponent) < ratio) ++exponent;
  return std::ldexp(1.0f, exponent);
}

}  // namespace

DoubleArray rounded_activation(const DoubleArray& x, const QuantizationParams& params,
                               const DoubleArray* global_scale) {
  DoubleArray y = x;
  const auto size = static_cast<std::size_t>(params.group());
  const float largest = params.mode == QuantizationMode::mxfp8 ? 448.0f : 6.0f;
  const float global = global_scale ? static_cast<float>(global_scale->values[0]) : 2688.0f;
  const float encode = 2688.0f / global, decode = global / 2688.0f;
  for (std::size_t at = 0; at < y.values.size(); at += size) {
    double top = 0;
    for (std::size_t i = at; i < at + size; ++i) top = std::max(top, std::abs(x.values[i]));
    const float ratio = static_cast<float>(top) / largest;
    const bool nvfp4 = params.mode == QuantizationMode::nvfp4;
    const float divisor = nvfp4 ? nvfp4_scale(ratio * encode) : power_not_below(ratio);
    const float scale = nvfp4 ? divisor * decode : divisor;
    for (std::size_t i = at; i < at + size; ++i) {
      const float z = divisor == 0 ? 0.0f : static_cast<float>(x.values[i]) / divisor;
      const auto element = static_cast<float>(nearest(params, nvfp4 ? z * encode : z));
      y.values[i] = static_cast<double>(round_to(x.dtype, scale * element));
    }
  }
  return y;
}

Expected qqmm(const DoubleArray& x, const Weight& w, const DoubleArray* global_scale_x) {
  return quantized_matmul(rounded_activation(x, w.params, global_scale_x), w, {});
}

}  // namespace clmx::reference
