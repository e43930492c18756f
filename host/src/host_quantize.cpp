#include "host_quantize.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

namespace clmx {
namespace {

template <Element T>
std::vector<float> widened(const Array& array) {
  const std::vector<T> values = array.to_vector<T>();
  std::vector<float> wide(values.size());
  std::ranges::transform(values, wide.begin(), [](T v) { return static_cast<float>(v); });
  return wide;
}

std::vector<float> floats_of(const Array& array) {
  if (array.dtype() == DType::f16) return widened<Half>(array);
  if (array.dtype() == DType::bf16) return widened<BFloat16>(array);
  return array.to_vector<float>();
}

template <Element T>
Array narrowed(const std::vector<float>& values, const Shape& shape) {
  std::vector<T> narrow(values.size());
  std::ranges::transform(values, narrow.begin(), [](float v) { return static_cast<T>(v); });
  return Array::from(narrow, shape);
}

Array array_of(const std::vector<float>& values, const Shape& shape, DType dtype) {
  if (dtype == DType::f16) return narrowed<Half>(values, shape);
  if (dtype == DType::bf16) return narrowed<BFloat16>(values, shape);
  return Array::from(values, shape);
}

float e8m0(int byte) {
  return std::bit_cast<float>(std::max(static_cast<std::uint32_t>(byte) << 23, 0x00400000u));
}

float e2m1(std::uint32_t code) {
  constexpr std::array magnitudes{0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  return std::copysign(magnitudes[code & 7u], code < 8u ? 1.0f : -1.0f);
}

/// Packs the codes of a row-major array; `code` is called once per element, in order.
template <class Code>
void pack(std::size_t count, int bits, std::uint32_t* words, Code code) {
  const std::size_t per_word = 32u / static_cast<std::size_t>(bits);
  for (std::size_t i = 0; i < count; ++i) {
    if (i % per_word == 0) words[i / per_word] = 0;
    words[i / per_word] |= code(i) << (static_cast<std::size_t>(bits) * (i % per_word));
  }
}

struct AffineGroup {
  float scale = 0.0f, bias = 0.0f;
};

AffineGroup affine_group(std::span<const float> group, float steps) {
  float high = -std::numeric_limits<float>::infinity(), low = -high;
  for (const float v : group) {
    if (v > high) high = v;
    if (v < low) low = v;
  }
  const bool negative = std::fabs(low) > std::fabs(high);
  float scale = (high - low) / steps;
  if (!(scale > 1e-7f)) scale = 1e-7f;
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

/// The smallest e with 2^e >= ratio; 0 for ratio 0.
int exponent_not_below(float ratio) {
  if (ratio == 0.0f) return 0;
  int exponent = 0;
  return std::frexp(ratio, &exponent) == 0.5f ? exponent - 1 : exponent;
}

std::uint32_t nearest_e2m1(DType dtype, float x) {
  std::uint32_t best = 0;
  float least = std::fabs(x);
  for (std::uint32_t code = 1; code < 16; ++code) {
    const float distance = std::fabs(round_to(dtype, x - e2m1(code)));
    if (distance < least) {
      least = distance;
      best = code;
    }
  }
  return best;
}

Shape columns(const Array& w, std::int64_t count) {
  return w.shape().with(-1, count);
}

QuantizedArrays quantize_affine(const Array& w, std::size_t group_size, int bits) {
  const std::vector<float> values = floats_of(w);
  const std::size_t groups = values.size() / group_size;
  const float steps = static_cast<float>((1u << bits) - 1u);
  std::vector<float> scales(groups), biases(groups);
  std::vector<std::uint32_t> words(values.size() * static_cast<std::size_t>(bits) / 32);
  for (std::size_t g = 0; g < groups; ++g) {
    const auto group = std::span(values).subspan(g * group_size, group_size);
    const AffineGroup found = affine_group(group, steps);
    pack(group_size, bits, &words[g * group_size * static_cast<std::size_t>(bits) / 32],
         [&](std::size_t i) { return affine_code(group[i], found, steps); });
    scales[g] = found.scale;
    biases[g] = found.bias;
  }
  const std::int64_t width = w.shape(-1);
  const Shape per_group = columns(w, width / static_cast<std::int64_t>(group_size));
  return {Array::from(words, columns(w, width * bits / 32)), array_of(scales, per_group, w.dtype()),
          array_of(biases, per_group, w.dtype())};
}

QuantizedArrays quantize_mxfp4(const Array& w, std::size_t group_size) {
  const std::vector<float> values = floats_of(w);
  std::vector<std::uint8_t> scales(values.size() / group_size);
  std::vector<std::uint32_t> words(values.size() / 8);
  for (std::size_t g = 0; g < scales.size(); ++g) {
    const auto group = std::span(values).subspan(g * group_size, group_size);
    float largest = 0.0f;
    for (const float v : group) largest = std::fmax(largest, std::fabs(v));
    const int exponent = exponent_not_below(round_to(w.dtype(), largest / 6.0f));
    const float scale = round_to(w.dtype(), std::ldexp(1.0f, exponent));
    pack(group_size, 4, &words[g * group_size / 8], [&](std::size_t i) {
      return nearest_e2m1(w.dtype(), round_to(w.dtype(), group[i] / scale));
    });
    scales[g] = static_cast<std::uint8_t>((exponent + 127) & 255);  // wraps around, as MLX's does
  }
  const std::int64_t width = w.shape(-1);
  return {Array::from(words, columns(w, width / 8)),
          Array::from(scales, columns(w, width / static_cast<std::int64_t>(group_size))),
          {}};
}

/// Scales or biases as floats in T, and how many there are in a row.
struct PerGroup {
  std::vector<float> values;
  std::size_t columns = 1;

  float at(std::size_t row, std::size_t group) const {
    return values[row * columns + std::min(group, columns - 1)];
  }
};

PerGroup per_group(const Array& array, DType arithmetic) {
  PerGroup found;
  found.columns = static_cast<std::size_t>(array.shape(-1));
  if (array.dtype() == DType::u8)
    for (const std::uint8_t byte : array.to_vector<std::uint8_t>())
      found.values.push_back(e8m0(byte));
  else
    found.values = floats_of(array);
  for (float& value : found.values) value = round_to(arithmetic, value);
  return found;
}

}  // namespace

QuantizedArrays quantize_on_host(const Array& w, const QuantizationParams& params) {
  const auto group = static_cast<std::size_t>(params.group());
  if (params.mode == QuantizationMode::affine) return quantize_affine(w, group, params.bit_count());
  return quantize_mxfp4(w, group);
}

Array dequantize_on_host(const QuantizedArrays& w, const QuantizationParams& params,
                         DType arithmetic, DType result,
                         const std::optional<std::vector<std::int64_t>>& rows) {
  const auto bits = static_cast<std::size_t>(params.bit_count()), per_word = 32 / bits;
  const auto group_size = static_cast<std::size_t>(params.group());
  const auto row_words = static_cast<std::size_t>(w.packed.shape(-1));
  const std::size_t width = row_words * per_word;
  const auto stored = static_cast<std::size_t>(w.packed.shape().elements(0, w.packed.rank() - 1));
  const std::size_t count = rows ? rows->size() : stored;
  const std::vector<std::uint32_t> words = w.packed.to_vector<std::uint32_t>();
  const PerGroup scales = per_group(w.scales, arithmetic);
  const PerGroup biases = w.biases ? per_group(*w.biases, arithmetic) : PerGroup{};

  std::vector<float> dense(count * width);
  for (std::size_t i = 0; i < dense.size(); ++i) {
    const std::size_t row = rows ? static_cast<std::size_t>((*rows)[i / width]) : i / width;
    const std::size_t k = i % width, group = k / group_size;
    const std::uint32_t code =
        words[row * row_words + k / per_word] >> (bits * (k % per_word)) & ((1u << bits) - 1u);
    const float element = w.biases ? static_cast<float>(code) : e2m1(code);
    float value = round_to(arithmetic, element * scales.at(row, group));
    if (w.biases) value = round_to(arithmetic, value + biases.at(row, group));
    dense[i] = value;
  }
  const Shape shape =
      rows ? Shape{static_cast<std::int64_t>(count), static_cast<std::int64_t>(width)}
           : w.packed.shape().with(-1, static_cast<std::int64_t>(width));
  return array_of(dense, shape, result);
}

}  // namespace clmx
