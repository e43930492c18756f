#include "reference_decode.hpp"

#include <array>
#include <cmath>

namespace clmx::reference {
namespace {

/// Sign, four bits of exponent (bias 7), three of mantissa; no infinities.
double e4m3(std::uint32_t code) {
  const std::uint32_t exponent = (code >> 3) & 15u, mantissa = code & 7u;
  double magnitude = exponent == 0 ? mantissa * 0x1p-9
                                   : std::ldexp(8.0 + mantissa, static_cast<int>(exponent) - 10);
  if ((code & 0x7fu) == 0x7fu) magnitude = NAN;
  return (code & 0x80u) ? -magnitude : magnitude;
}

double e2m1(std::uint32_t code) {
  constexpr std::array magnitudes{0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0};
  return (code & 8u) ? -magnitudes[code & 7u] : magnitudes[code & 7u];
}

}  // namespace

std::size_t width_of(const Weight& w) {
  return static_cast<std::size_t>(w.scales.shape[-1] * w.params.group());
}

std::uint32_t code_at(const Weight& w, std::size_t row, std::size_t k) {
  const auto bits = static_cast<std::size_t>(w.params.bit_count());
  const auto words = static_cast<std::size_t>(w.packed.shape[-1]);
  std::uint32_t code = 0;
  for (std::size_t i = 0; i < bits; ++i) {  // the row is one stream of bits
    const std::size_t at = k * bits + i;
    const auto word = static_cast<std::uint32_t>(w.packed.values[row * words + at / 32]);
    code |= (word >> (at % 32) & 1u) << i;
  }
  return code;
}

double element_value(const QuantizationParams& params, std::uint32_t code) {
  switch (params.mode) {
    case QuantizationMode::affine:
      return code;
    case QuantizationMode::mxfp8:
      return e4m3(code);
    default:
      return e2m1(code);
  }
}

double scale_value(const Weight& w, std::size_t group) {
  const double stored = w.scales.values[group];
  if (w.biases) return stored;
  if (w.params.mode == QuantizationMode::nvfp4) return e4m3(static_cast<std::uint32_t>(stored));
  return std::ldexp(1.0, static_cast<int>(stored) - 127);
}

}  // namespace clmx::reference
