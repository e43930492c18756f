#include "host_activation.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "host_floats.hpp"
#include "minifloat.hpp"

namespace clmx {
namespace {

struct Scaling {
  float encode = 1, decode = 1;  ///< what a global scale does to scales, and undoes
};

/// The smallest power of two that is not below ratio; 2^-127 for 0.
float power_not_below(float ratio) {
  if (ratio == 0) return 0x1p-127f;
  int exponent = 0;
  if (std::frexp(ratio, &exponent) == 0.5f) --exponent;
  return std::ldexp(1.0f, exponent);
}

float to_e2m1_and_back(float x) {
  const float a = std::fabs(x);
  const float magnitude = a > 5       ? 6.0f
                          : a >= 3.5  ? 4.0f
                          : a > 2.5   ? 3.0f
                          : a >= 1.75 ? 2.0f
                          : a > 1.25  ? 1.5f
                          : a >= 0.75 ? 1.0f
                          : a > 0.25  ? 0.5f
                                      : 0.0f;
  return std::copysign(magnitude, x);
}

void round_group(std::span<float> group, QuantizationMode mode, const Scaling& global) {
  float largest = 0;
  for (const float v : group) largest = std::fmax(largest, std::fabs(v));
  const float ratio = largest / (mode == QuantizationMode::mxfp8 ? 448.0f : 6.0f);
  const bool nvfp4 = mode == QuantizationMode::nvfp4;
  const float divisor = nvfp4 ? e4m3(to_e4m3(ratio * global.encode)) : power_not_below(ratio);
  const float scale = nvfp4 ? divisor * global.decode : divisor;
  for (float& v : group) {
    const float z = divisor == 0 ? 0.0f : (v / divisor) * global.encode;
    v = scale * (mode == QuantizationMode::mxfp8 ? e4m3(to_e4m3(z)) : to_e2m1_and_back(z));
  }
}

}  // namespace

Array activation_on_host(const Array& x, QuantizationMode mode,
                         const std::optional<Array>& global_scale) {
  std::vector<float> values = host_floats(x);
  Scaling global;
  if (global_scale) {
    const float given = global_scale->to_vector<float>().front();
    global = {2688.0f / given, given / 2688.0f};
  }
  const auto size = static_cast<std::size_t>(QuantizationParams{mode}.group());
  for (std::size_t at = 0; at < values.size(); at += size)
    round_group(std::span(values).subspan(at, size), mode, global);
  return host_array(values, x.shape(), x.dtype());
}

}  // namespace clmx
