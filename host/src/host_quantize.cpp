#include "host_quantize.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "host_floats.hpp"
#include "minifloat.hpp"

namespace clmx {
namespace {

/// A little-endian stream of codes, filled from its first word on.
class CodeStream {
 public:
  CodeStream(std::size_t codes, int bits)
      : bits_(static_cast<std::size_t>(bits)), words_(codes * bits_ / 32) {}

  void put(std::uint32_t code) {
    const std::size_t word = at_ / 32, shift = at_ % 32;
    words_[word] |= code << shift;
    if (shift + bits_ > 32) words_[word + 1] = code >> (32 - shift);
    at_ += bits_;
  }
  const std::vector<std::uint32_t>& words() const { return words_; }

 private:
  std::size_t bits_, at_ = 0;
  std::vector<std::uint32_t> words_;
};

struct AffineGroup {
  float scale = 0.0f, bias = 0.0f;
};

AffineGroup affine_group(std::span<const float> group, int bits) {
  const auto steps = static_cast<float>((1u << bits) - 1u);
  float high = -std::numeric_limits<float>::infinity(), low = -high;
  for (const float v : group) {
    if (v > high) high = v;
    if (v < low) low = v;
  }
  float scale = (high - low) / steps;
  if (!(scale > 1e-7f)) scale = 1e-7f;
  if (bits == 1) return {scale, low};
  const bool negative = std::fabs(low) > std::fabs(high);
  if (!negative) scale = -scale;
  const float edge = negative ? low : high;
  const float edge_steps = std::nearbyint(edge / scale);
  if (edge_steps == 0.0f) return {scale, 0.0f};
  return {edge / edge_steps, edge};
}

std::uint32_t affine_code(float value, const AffineGroup& group, float steps) {
  const float code = std::nearbyint((value - group.bias) / group.scale);
  if (!(code > 0.0f)) return 0;  // NaN too
  return static_cast<std::uint32_t>(std::min(code, steps));
}

Shape columns(const Array& w, std::int64_t count) {
  return w.shape().with(-1, count);
}

QuantizedArrays quantize_affine(const Array& w, std::size_t group_size, int bits) {
  const std::vector<float> values = host_floats(w);
  const std::size_t groups = values.size() / group_size;
  const auto steps = static_cast<float>((1u << bits) - 1u);
  std::vector<float> scales(groups), biases(groups);
  CodeStream codes(values.size(), bits);
  for (std::size_t g = 0; g < groups; ++g) {
    const auto group = std::span(values).subspan(g * group_size, group_size);
    const AffineGroup found = affine_group(group, bits);
    for (const float value : group) codes.put(affine_code(value, found, steps));
    scales[g] = found.scale;
    biases[g] = found.bias;
  }
  const std::int64_t width = w.shape(-1);
  const Shape per_group = columns(w, width / static_cast<std::int64_t>(group_size));
  return {Array::from(codes.words(), columns(w, width * bits / 32)),
          host_array(scales, per_group, w.dtype()), host_array(biases, per_group, w.dtype())};
}

/// The smallest e with 2^e >= ratio > 0, by bits: 128 for infinity.
int exponent_not_below(float ratio) {
  const auto bits = std::bit_cast<std::uint32_t>(ratio), mantissa = bits & 0x007fffffu;
  if (bits > mantissa) return static_cast<int>(bits >> 23) - 127 + (mantissa != 0 ? 1 : 0);
  return static_cast<int>(std::bit_width(mantissa - 1u)) - 149;  // subnormal: mantissa * 2^-149
}

/// The first of the codes at the least distance, measured in `distances`; NaN and infinity have 0.
std::uint32_t nearest_e2m1(DType distances, float x) {
  std::uint32_t best = 0;
  float least = std::fabs(x);
  for (std::uint32_t code = 1; code < 16; ++code) {
    const float distance = std::fabs(round_to(distances, x - e2m1(code)));
    if (distance < least) {
      least = distance;
      best = code;
    }
  }
  return best;
}

/// A group's scale as stored, and what its elements are divided by.
struct FloatingScale {
  std::uint8_t byte = 0;
  float value = 0.0f;
};

FloatingScale e4m3_scale(DType dtype, float ratio, float encode) {
  const std::uint32_t byte = to_e4m3(ratio * encode);
  return {static_cast<std::uint8_t>(byte), round_to(dtype, e4m3(byte))};
}

/// MLX's older rule: the logarithm in dtype, rounded to even.
int nearest_exponent(DType dtype, float ratio) {
  if (std::isinf(ratio)) return 128;
  const auto logarithm = static_cast<float>(std::log2(static_cast<double>(ratio)));
  return static_cast<int>(std::nearbyint(round_to(dtype, logarithm)));
}

FloatingScale power_of_two_scale(DType dtype, float ratio, ScaleRule rule) {
  const int exponent = ratio == 0.0f                 ? 0
                       : rule == ScaleRule::round_up ? exponent_not_below(ratio)
                                                     : nearest_exponent(dtype, ratio);
  // The byte wraps around, as MLX's does.
  return {static_cast<std::uint8_t>((exponent + 127) & 255),
          round_to(dtype, std::ldexp(1.0f, exponent))};
}

QuantizedArrays quantize_floating(const Array& w, const QuantizeOptions& options, float encode) {
  const QuantizationParams& params = options.params;
  const bool nvfp4 = params.mode == QuantizationMode::nvfp4;
  const bool mxfp8 = params.mode == QuantizationMode::mxfp8;
  const auto group_size = static_cast<std::size_t>(params.group());
  const DType dtype = w.dtype(), distances = nvfp4 ? DType::f32 : dtype;
  const std::vector<float> values = host_floats(w);
  std::vector<std::uint8_t> scales(values.size() / group_size);
  CodeStream codes(values.size(), params.bit_count());
  for (std::size_t g = 0; g < scales.size(); ++g) {
    const auto group = std::span(values).subspan(g * group_size, group_size);
    float largest = 0.0f;
    for (const float v : group) largest = std::fmax(largest, std::fabs(v));
    const float ratio = round_to(dtype, largest / (mxfp8 ? 448.0f : 6.0f));
    const FloatingScale scale = nvfp4 ? e4m3_scale(dtype, ratio, encode)
                                      : power_of_two_scale(dtype, ratio, options.scale_rule);
    for (const float v : group) {
      const float x = round_to(dtype, v / scale.value) * encode;
      codes.put(mxfp8 ? to_e4m3(x) : nearest_e2m1(distances, x));
    }
    scales[g] = scale.byte;
  }
  const std::int64_t width = w.shape(-1);
  return {Array::from(codes.words(), columns(w, width * params.bit_count() / 32)),
          Array::from(scales, columns(w, width / params.group())),
          {}};
}

}  // namespace

QuantizedArrays quantize_on_host(const Array& w, const QuantizeOptions& options,
                                 const std::optional<Array>& global_scale) {
  const QuantizationParams& params = options.params;
  if (params.mode == QuantizationMode::affine)
    return quantize_affine(w, static_cast<std::size_t>(params.group()), params.bit_count());
  const float encode = global_scale ? 2688.0f / global_scale->to_vector<float>().front() : 1.0f;
  return quantize_floating(w, options, encode);
}

}  // namespace clmx
