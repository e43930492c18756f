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

Group affine_scale(const float* w, int n, int bits) {
  const float hi = first_extreme(w, n, true), lo = first_extreme(w, n, false);
  const auto bins = static_cast<float>((1 << bits) - 1);
  if (bits == 1) return {{}, std::max(hi - lo, 1e-7f), lo};
  const bool negative = std::abs(lo) > std::abs(hi);
  const float step = std::max((hi - lo) / bins, 1e-7f) * (negative ? 1.0f : -1.0f);
  const float edge = negative ? lo : hi, steps = std::nearbyint(edge / step);
  if (steps == 0) return {{}, step, 0};
  return {{}, edge / steps, edge};
}

Group affine_group(const float* w, int n, int bits) {
  Group group = affine_scale(w, n, bits);
  const auto bins = static_cast<float>((1 << bits) - 1);
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

/// Rounding in steps of the number's binade, 2^-9 at least.
std::uint32_t nearest_e4m3(double x) {
  const std::uint32_t sign = std::signbit(x) ? 0x80u : 0u;
  const double magnitude = std::abs(x);
  if (!(magnitude < 448)) return sign | 0x7eu;
  int exponent = -6;
  if (magnitude >= 0x1p-6) exponent = std::ilogb(magnitude);
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 3 - exponent)));
  return sign | static_cast<std::uint32_t>((exponent + 6) * 8 + steps);
}

float e4m3(std::uint32_t code) {
  return static_cast<float>(element_value({QuantizationMode::mxfp8}, code));
}

int exponent_of(float ratio, DType dtype, ScaleRule rule) {
  if (ratio == 0) return 0;
  if (rule == ScaleRule::nearest)
    return static_cast<int>(
        std::nearbyint(round_to(dtype, static_cast<float>(std::log2(static_cast<double>(ratio))))));
  int exponent = 0;
  return std::frexp(ratio, &exponent) == 0.5f ? exponent - 1 : exponent;
}

/// The scale is the byte. The exponent wraps below -127, as MLX's does.
Group floating_group(const float* w, DType dtype, const QuantizeOptions& o, float encode) {
  const bool mxfp8 = o.params.mode == QuantizationMode::mxfp8;
  const bool nvfp4 = o.params.mode == QuantizationMode::nvfp4;
  float largest = 0;
  for (int i = 0; i < o.params.group(); ++i) largest = std::max(largest, std::abs(w[i]));
  const float ratio = round_to(dtype, largest / (mxfp8 ? 448.0f : 6.0f));
  Group group;
  float step = 0;
  if (nvfp4) {
    const std::uint32_t code = nearest_e4m3(static_cast<double>(ratio * encode));
    group.scale = static_cast<float>(code);
    step = round_to(dtype, e4m3(code));
  } else {
    const int exponent = exponent_of(ratio, dtype, o.scale_rule);
    group.scale = static_cast<float>((exponent + 127 + 256) % 256);
    step = round_to(dtype, std::ldexp(1.0f, exponent));
  }
  for (int i = 0; i < o.params.group(); ++i) {
    const float x = round_to(dtype, w[i] / step) * encode;
    group.codes.push_back(mxfp8 ? nearest_e4m3(static_cast<double>(x))
                                : nearest_e2m1(x, nvfp4 ? DType::f32 : dtype));
  }
  return group;
}

/// Bit by bit, the lowest bit of a code first.
std::vector<double> words_of(const std::vector<std::uint32_t>& codes, int bits) {
  std::vector<std::uint32_t> words(codes.size() * static_cast<std::size_t>(bits) / 32);
  std::size_t at = 0;
  for (const std::uint32_t code : codes) {
    for (int bit = 0; bit < bits; ++bit, ++at) words[at / 32] |= (code >> bit & 1u) << (at % 32);
  }
  return {words.begin(), words.end()};
}

/// r32(global_scale / 2688) of a row's matrix.
float factor_of(const Weight& w, std::size_t row) {
  const std::vector<double>& given = w.global_scale->values;
  const std::size_t matrix = row / static_cast<std::size_t>(w.packed.shape[-2]);
  return static_cast<float>(given[given.size() == 1 ? 0 : matrix]) / 2688.0f;
}

/// Types that the product of code and scale, and the sum with the bias are rounded to.
struct Rounding {
  DType product, sum;
};

float element(const Weight& w, std::size_t row, std::size_t k, const Rounding& to) {
  const auto value = static_cast<float>(element_value(w.params, code_at(w, row, k)));
  const std::size_t group = row * static_cast<std::size_t>(w.scales.shape[-1]) +
                            k / static_cast<std::size_t>(w.params.group());
  const auto stored = static_cast<float>(scale_value(w, group));
  if (w.global_scale) return value * (stored * factor_of(w, row));
  const float scaled =
      round_to(to.product, round_to(to.product, value) * round_to(to.product, stored));
  if (!w.biases) return scaled;
  return round_to(to.sum, scaled + static_cast<float>(w.biases->values[group]));
}

DType default_dtype(const Weight& w) {
  return w.biases ? promote(w.scales.dtype, w.biases->dtype) : DType::bf16;
}

/// MLX's: the product in the scales' type.
Rounding rounding_of(const Weight& w, DType result) {
  return w.biases ? Rounding{w.scales.dtype, default_dtype(w)} : Rounding{result, result};
}

void append_row(Expected& y, const Weight& w, std::size_t row, const Rounding& to) {
  for (std::size_t k = 0; k < width_of(w); ++k)
    y.values.push_back(static_cast<double>(element(w, row, k, to)));
}

}  // namespace

std::vector<Expected> quantize(const DoubleArray& w, const QuantizeOptions& options,
                               const DoubleArray* global_scale) {
  const QuantizationParams& params = options.params;
  const bool affine = params.mode == QuantizationMode::affine;
  const int n = params.group(), bits = params.bit_count();
  const Shape per_group = w.shape.with(-1, w.shape[-1] / n);
  Expected packed{w.shape.with(-1, w.shape[-1] * bits / 32), DType::u32, {}, {}};
  Expected scales{per_group, affine ? w.dtype : DType::u8, {}, {}},
      biases{per_group, w.dtype, {}, {}};
  const std::vector<float> values(w.values.begin(), w.values.end());
  const float encode =
      global_scale ? 2688.0f / static_cast<float>(global_scale->values.front()) : 1.0f;
  std::vector<std::uint32_t> codes;
  for (std::size_t at = 0; at < values.size(); at += static_cast<std::size_t>(n)) {
    const Group group = affine ? affine_group(values.data() + at, n, bits)
                               : floating_group(values.data() + at, w.dtype, options, encode);
    codes.insert(codes.end(), group.codes.begin(), group.codes.end());
    scales.values.push_back(static_cast<double>(group.scale));
    biases.values.push_back(static_cast<double>(group.bias));
  }
  packed.values = words_of(codes, bits);
  if (affine) return {packed, scales, biases};
  return {packed, scales};
}

Expected dequantize(const Weight& w, std::optional<DType> dtype) {
  const DType result = dtype.value_or(default_dtype(w));
  Expected y{w.scales.shape.with(-1, static_cast<std::int64_t>(width_of(w))), result, {}, {}};
  const auto rows = static_cast<std::size_t>(y.shape.elements(0, y.shape.rank() - 1));
  for (std::size_t row = 0; row < rows; ++row) append_row(y, w, row, rounding_of(w, result));
  return y;
}

Expected gather_dequantize(const DoubleArray& rows, const Weight& w, std::optional<DType> dtype) {
  const DType result = dtype.value_or(default_dtype(w));
  const Rounding to =
      dtype == DType::f32 ? Rounding{DType::f32, DType::f32} : rounding_of(w, result);
  std::vector<std::int64_t> sizes(rows.shape.sizes().begin(), rows.shape.sizes().end());
  sizes.push_back(static_cast<std::int64_t>(width_of(w)));
  Expected y{Shape(sizes), result, {}, {}};
  const auto count = static_cast<double>(w.scales.shape[0]);
  for (const double given : rows.values)
    append_row(y, w, static_cast<std::size_t>(given < 0 ? given + count : given), to);
  return y;
}

Expected to_fp8(const DoubleArray& x) {
  Expected y{x.shape, DType::u8, {}, {}};
  for (const double value : x.values) y.values.push_back(nearest_e4m3(value));
  return y;
}

Expected from_fp8(const DoubleArray& x, DType dtype) {
  Expected y{x.shape, dtype, {}, {}};
  for (const double code : x.values)
    y.values.push_back(static_cast<double>(e4m3(static_cast<std::uint32_t>(code))));
  return y;
}

}  // namespace clmx::reference
