#include <algorithm>
#include <array>
#include <cmath>

#include "reference_decode.hpp"

namespace clmx::reference {
namespace {

constexpr std::array<float, 16> e2m1{0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                     -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};

/// One group of codes with its scale and bias.
struct Group {
  std::vector<std::uint32_t> codes;
  float scale = 0, bias = 0;
};

float first_extreme(const float* w, int n, bool highest) {
  float best = w[0];
  for (int i = 1; i < n; ++i) {
    if (highest ? w[i] > best : w[i] < best) best = w[i];
  }
  return best;
}

Group affine_group(const float* w, int n, int bits) {
  const float hi = first_extreme(w, n, true), lo = first_extreme(w, n, false);
  const auto bins = static_cast<float>((1 << bits) - 1);
  const bool negative = std::abs(lo) > std::abs(hi);
  Group group;
  group.scale = std::max((hi - lo) / bins, 1e-7f);
  if (!negative) group.scale = -group.scale;
  const float edge = negative ? lo : hi;
  const float steps = std::nearbyint(edge / group.scale);
  if (steps != 0) {
    group.scale = edge / steps;
    group.bias = edge;
  }
  for (int i = 0; i < n; ++i) {
    const float code = std::nearbyint((w[i] - group.bias) / group.scale);
    group.codes.push_back(
        static_cast<std::uint32_t>(std::isnan(code) ? 0.0f : std::clamp(code, 0.0f, bins)));
  }
  return group;
}

std::uint32_t nearest_e2m1(float x, DType dtype) {
  std::uint32_t best = 0;
  float least = INFINITY;
  for (std::uint32_t i = 0; i < e2m1.size(); ++i) {
    const float distance = std::abs(round_to(dtype, x - e2m1[i]));
    if (distance < least) {
      least = distance;
      best = i;
    }
  }
  return best;
}

/// The scale is the E8M0 byte. Its exponent wraps below -127, as MLX's does.
Group mxfp4_group(const float* w, int n, DType dtype) {
  float largest = 0;
  for (int i = 0; i < n; ++i) largest = std::max(largest, std::abs(w[i]));
  const float ratio = round_to(dtype, largest / 6.0f);
  int exponent = 0;
  if (ratio != 0) {
    const float mantissa = std::frexp(ratio, &exponent);
    if (mantissa == 0.5f) --exponent;
  }
  Group group;
  group.scale = static_cast<float>((exponent + 127 + 256) % 256);
  const float step = round_to(dtype, std::ldexp(1.0f, exponent));
  for (int i = 0; i < n; ++i)
    group.codes.push_back(nearest_e2m1(round_to(dtype, w[i] / step), dtype));
  return group;
}

float element(const Weight& w, std::size_t row, std::size_t k, DType dtype) {
  const auto value = static_cast<float>(element_value(w.params, code_at(w, row, k)));
  const std::size_t group = row * static_cast<std::size_t>(w.scales.shape[-1]) +
                            k / static_cast<std::size_t>(w.params.group());
  const float scale = round_to(dtype, static_cast<float>(scale_value(w, group)));
  if (!w.biases) return round_to(dtype, value * scale);
  const float scaled = round_to(dtype, round_to(dtype, value) * scale);
  return round_to(dtype, scaled + static_cast<float>(w.biases->values[group]));
}

}  // namespace

std::vector<Expected> quantize(const DoubleArray& w, const QuantizationParams& params) {
  const bool affine = params.mode == QuantizationMode::affine;
  const int n = params.group(), bits = params.bit_count();
  const Shape per_group = w.shape.with(-1, w.shape[-1] / n);
  Expected packed{w.shape.with(-1, w.shape[-1] * bits / 32), DType::u32, {}, {}};
  Expected scales{per_group, affine ? w.dtype : DType::u8, {}, {}},
      biases{per_group, w.dtype, {}, {}};
  const std::vector<float> values(w.values.begin(), w.values.end());
  for (std::size_t at = 0; at < values.size(); at += static_cast<std::size_t>(n)) {
    const Group group = affine ? affine_group(values.data() + at, n, bits)
                               : mxfp4_group(values.data() + at, n, w.dtype);
    const int per_word = 32 / bits;
    for (int word = 0; word < n; word += per_word) {
      const std::uint32_t* codes = group.codes.data() + word;
      std::uint32_t joined = 0;
      for (int i = 0; i < per_word; ++i) joined |= codes[i] << (i * bits);
      packed.values.push_back(joined);
    }
    scales.values.push_back(static_cast<double>(group.scale));
    biases.values.push_back(static_cast<double>(group.bias));
  }
  if (affine) return {packed, scales, biases};
  return {packed, scales};
}

Expected dequantize(const Weight& w, std::optional<DType> dtype) {
  const std::size_t width = width_of(w);
  const DType inner =
      w.biases ? promote(w.scales.dtype, w.biases->dtype) : dtype.value_or(DType::bf16);
  Expected y{
      w.scales.shape.with(-1, static_cast<std::int64_t>(width)), dtype.value_or(inner), {}, {}};
  const auto rows = static_cast<std::size_t>(y.shape.elements(0, y.shape.rank() - 1));
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t k = 0; k < width; ++k)
      y.values.push_back(static_cast<double>(element(w, row, k, inner)));
  }
  return y;
}

Expected gather_dequantize(const DoubleArray& rows, const Weight& w, std::optional<DType> dtype) {
  const std::size_t width = width_of(w);
  const DType stored = w.biases ? promote(w.scales.dtype, w.biases->dtype) : DType::bf16;
  const DType result = dtype.value_or(stored);
  const DType inner = !w.biases || result == DType::f32 ? result : stored;
  std::vector<std::int64_t> sizes(rows.shape.sizes().begin(), rows.shape.sizes().end());
  sizes.push_back(static_cast<std::int64_t>(width));
  Expected y{Shape(sizes), result, {}, {}};
  const auto count = static_cast<double>(w.scales.shape[0]);
  for (const double given : rows.values) {
    const auto row = static_cast<std::size_t>(given < 0 ? given + count : given);
    for (std::size_t k = 0; k < width; ++k)
      y.values.push_back(static_cast<double>(element(w, row, k, inner)));
  }
  return y;
}

}  // namespace clmx::reference
