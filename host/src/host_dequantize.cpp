#include <algorithm>
#include <vector>

#include "host_floats.hpp"
#include "host_quantize.hpp"
#include "minifloat.hpp"
#include "quantized_checks.hpp"

namespace clmx {
namespace {

/// Scales or biases as rounded floats, and how many there are in a row.
struct PerGroup {
  std::vector<float> values;
  std::size_t columns = 1;

  float at(std::size_t row, std::size_t group) const {
    return values[row * columns + std::min(group, columns - 1)];
  }
};

PerGroup per_group(const Array& array, QuantizationMode mode, DType rounded_to) {
  PerGroup found;
  found.columns = static_cast<std::size_t>(array.shape(-1));
  if (array.dtype() == DType::u8)
    for (const std::uint8_t byte : array.to_vector<std::uint8_t>())
      found.values.push_back(mode == QuantizationMode::nvfp4 ? e4m3(byte) : e8m0(byte));
  else
    found.values = host_floats(array);
  for (float& value : found.values) value = round_to(rounded_to, value);
  return found;
}

/// Code k of a row: bits k * bits and on of its little-endian stream.
std::uint32_t code_at(const std::uint32_t* row, std::size_t k, std::size_t bits) {
  const std::size_t at = k * bits, shift = at % 32;
  std::uint64_t words = row[at / 32];
  if (shift + bits > 32) words |= static_cast<std::uint64_t>(row[at / 32 + 1]) << 32;
  return static_cast<std::uint32_t>(words >> shift) & (0xffffffffu >> (32 - bits));
}

float element(QuantizationMode mode, std::uint32_t code) {
  if (mode == QuantizationMode::affine) return static_cast<float>(code);
  return mode == QuantizationMode::mxfp8 ? e4m3(code) : e2m1(code);
}

}  // namespace

Array dequantize_on_host(const QuantizedArrays& w, const QuantizationParams& params,
                         const DequantizeRounding& rounding, DType result,
                         const std::optional<std::vector<std::int64_t>>& rows) {
  const auto bits = static_cast<std::size_t>(params.bit_count());
  const auto group_size = static_cast<std::size_t>(params.group());
  const auto row_words = static_cast<std::size_t>(w.packed.shape(-1));
  const auto width = static_cast<std::size_t>(quantized_width(w.packed, params));
  const auto stored = static_cast<std::size_t>(w.packed.shape().elements(0, w.packed.rank() - 1));
  const std::size_t count = rows ? rows->size() : stored;
  const std::vector<std::uint32_t> words = w.packed.to_vector<std::uint32_t>();
  const PerGroup scales = per_group(w.scales, params.mode, rounding.product);
  const PerGroup biases = w.biases ? per_group(*w.biases, params.mode, rounding.sum) : PerGroup{};

  std::vector<float> dense(count * width);
  for (std::size_t i = 0; i < dense.size(); ++i) {
    const std::size_t row = rows ? static_cast<std::size_t>((*rows)[i / width]) : i / width;
    const std::size_t k = i % width, group = k / group_size;
    const float code =
        round_to(rounding.product, element(params.mode, code_at(&words[row * row_words], k, bits)));
    float value = round_to(rounding.product, code * scales.at(row, group));
    if (w.biases) value = round_to(rounding.sum, value + biases.at(row, group));
    dense[i] = value;
  }
  const Shape shape =
      rows ? Shape{static_cast<std::int64_t>(count), static_cast<std::int64_t>(width)}
           : w.packed.shape().with(-1, static_cast<std::int64_t>(width));
  return host_array(dense, shape, result);
}

}  // namespace clmx
