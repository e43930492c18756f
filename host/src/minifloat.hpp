#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

/// The small floating-point numbers of the formats, as cl/common/minifloat.clh has them.
namespace clmx {

/// 2^(byte - 127); byte 0 is the subnormal 2^-127, 255 infinity.
inline float e8m0(int byte) {
  return std::bit_cast<float>(std::max(static_cast<std::uint32_t>(byte) << 23, 0x00400000u));
}

/// Sign, two bits of exponent, one of mantissa.
inline float e2m1(std::uint32_t code) {
  constexpr std::array magnitudes{0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  return std::copysign(magnitudes[code & 7u], (code & 8u) ? -1.0f : 1.0f);
}

/// Sign, four bits of exponent, three of mantissa; no infinities, 0x7f and 0xff are NaN.
inline float e4m3(std::uint32_t code) {
  const std::uint32_t magnitude = code & 0x7fu;
  const float value = magnitude == 0x7fu ? std::bit_cast<float>(0x7fc00000u)
                      : magnitude < 8u   ? static_cast<float>(magnitude) * 0x1p-9f
                                         : std::bit_cast<float>((magnitude << 20) + 0x3c000000u);
  return std::copysign(value, (code & 0x80u) ? -1.0f : 1.0f);
}

/// The nearest, ties to even; 448 and above, infinities and NaN give 448 with the sign.
inline std::uint32_t to_e4m3(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value), magnitude = bits & 0x7fffffffu;
  const std::uint32_t sign = (bits >> 24) & 0x80u;
  if (magnitude >= 0x43e00000u) return sign | 0x7eu;
  if (magnitude >= 0x3c800000u)
    return sign | (((magnitude + 0x7ffffu + ((magnitude >> 20) & 1u)) >> 20) - 0x3c0u);
  return sign | static_cast<std::uint32_t>(std::nearbyint(std::fabs(value) * 0x1p9f));
}

}  // namespace clmx
