#include "golden_qqmm.hpp"

#include <algorithm>
#include <cmath>

#include "clmx/devices/error.hpp"
#include "op_case.hpp"

namespace clmx {
namespace {

// The values of the e2m1 codes 0 to 7.
constexpr std::array<double, 8> e2m1{0, 0.5, 1, 1.5, 2, 3, 4, 6};

double e4m3(unsigned code) {
  const int exponent = static_cast<int>(code >> 3 & 15U);
  const int mantissa = static_cast<int>(code & 7U);
  if ((code & 127U) == 127U) return NAN;
  const double value =
      exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return code & 128U ? -value : value;
}

/// The nearest of ascending values, of two equally near ones that with the even code.
template <class Decode>
double nearest(double magnitude, unsigned codes, Decode decode) {
  unsigned best = 0;
  for (unsigned code = 1; code < codes; ++code) {
    const double now = std::abs(decode(code) - magnitude),
                 before = std::abs(decode(best) - magnitude);
    if (now < before || (now == before && code % 2 == 0)) best = code;
  }
  return decode(best);
}

double to_e4m3(double value) {
  if (!(std::abs(value) < 448)) return std::copysign(448, value);
  return std::copysign(nearest(std::abs(value), 127, e4m3), value);
}

double to_e2m1(double value) {
  return std::copysign(nearest(std::abs(value), 8, [](unsigned code) { return e2m1[code]; }),
                       value);
}

/// The scale of a group of activations: e4m3 in nvfp4, else the power of two not below.
double scale_of(double amax, QuantizationMode mode) {
  const float ratio = static_cast<float>(amax) / (mode == QuantizationMode::mxfp8 ? 448.0f : 6.0f);
  if (mode == QuantizationMode::nvfp4) return to_e4m3(ratio);
  if (ratio == 0) return 0x1p-127;
  int exponent = 0;
  return std::frexp(ratio, &exponent) == 0.5f ? std::ldexp(1.0, exponent - 1)
                                              : std::ldexp(1.0, exponent);
}

void quantize_activations(std::span<double> group, QuantizationMode mode, DType dtype) {
  double amax = 0;
  for (const double x : group) amax = std::max(amax, std::abs(x));
  const double scale = scale_of(amax, mode);
  for (double& x : group) {
    const double ratio =
        scale == 0 ? 0 : static_cast<double>(static_cast<float>(x) / static_cast<float>(scale));
    x = rounded(dtype, scale * (mode == QuantizationMode::mxfp8 ? to_e4m3(ratio) : to_e2m1(ratio)));
  }
}

double scale_value(unsigned byte, QuantizationMode mode) {
  return mode == QuantizationMode::nvfp4 ? e4m3(byte)
                                         : std::ldexp(1.0, static_cast<int>(byte) - 127);
}

/// Rows of a floating mode's weight, exact.
std::vector<double> exact_weights(const Array& packed, const Array& scales,
                                  const QuantizationParams& params) {
  const std::vector<std::uint32_t> words = packed.to_vector<std::uint32_t>();
  const std::vector<std::uint8_t> bytes = scales.to_vector<std::uint8_t>();
  const auto bits = static_cast<unsigned>(params.bit_count());
  const std::size_t per = 32 / bits, group = static_cast<std::size_t>(params.group());
  std::vector<double> values(words.size() * per);
  require(values.size() == bytes.size() * group, "verify", "weight and scales do not fit");
  for (std::size_t i = 0; i < values.size(); ++i) {
    const unsigned code = words[i / per] >> (i % per * bits) & ((1U << bits) - 1);
    const double element = bits == 8 ? e4m3(code) : (code & 8U ? -1.0 : 1.0) * e2m1[code & 7U];
    values[i] = element * scale_value(bytes[i / group], params.mode);
  }
  return values;
}

}  // namespace

QqmmReference qqmm_reference(const GoldenCase& golden, const GoldenFamily& family) {
  const QuantizationParams params = quantization_of(golden.args);
  const DoubleArray given = widen(family.input(golden, "x"));
  const auto k = static_cast<std::size_t>(given.shape[-1]);
  const auto group = static_cast<std::size_t>(params.group());
  require(params.mode != QuantizationMode::affine && k > 0 && k % group == 0, "verify",
          "no qqmm of ", params.mode, " with x ", given.shape);
  std::vector<double> x = given.values;
  for (std::size_t at = 0; at < x.size(); at += group)
    quantize_activations(std::span(x).subspan(at, group), params.mode, given.dtype);
  const std::vector<double> w =
      exact_weights(family.input(golden, "w"), family.input(golden, "scales"), params);
  QqmmReference result;
  for (std::size_t row = 0; row < x.size(); row += k) {
    for (std::size_t column = 0; column + k <= w.size(); column += k) {
      double sum = 0, magnitude = 0;
      for (std::size_t i = 0; i < k; ++i) {
        sum += x[row + i] * w[column + i];
        magnitude += std::abs(x[row + i] * w[column + i]);
      }
      result.ref.push_back(sum);
      result.magnitude.push_back(magnitude);
    }
  }
  return result;
}

}  // namespace clmx
