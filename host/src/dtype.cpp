#include "clmx/host/dtype.hpp"

#include <array>
#include <ostream>

namespace clmx {
namespace {

struct DTypeFacts {
  std::string_view name;
  std::size_t bytes;
  bool is_float;
};
constexpr auto facts = std::to_array<DTypeFacts>({{"f32", 4, true},
                                                  {"f16", 2, true},
                                                  {"bf16", 2, true},
                                                  {"u8", 1, false},
                                                  {"u32", 4, false},
                                                  {"i32", 4, false}});
const DTypeFacts& facts_of(DType dtype) {
  return facts[static_cast<std::size_t>(dtype)];
}

// Drops `count` low bits of a magnitude, to nearest, ties to even.
std::uint32_t round_shift(std::uint32_t value, int count) {
  const std::uint32_t half = 1u << (count - 1);
  const std::uint32_t rest = value & ((1u << count) - 1u);
  const std::uint32_t kept = value >> count;
  return kept + (rest > half || (rest == half && (kept & 1u)) ? 1u : 0u);
}

std::uint16_t to_half_bits(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x1ffu);
  } else if (magnitude >= 0x477ff000u) {  // 65520 and above round to infinity
    half = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {  // normal: rebias the exponent from 127 to 15
    half = round_shift(magnitude - 0x38000000u, 13);
  } else if (magnitude >= 0x33000000u) {  // subnormal; below 2^-25 rounds to zero
    const int shift = 126 - static_cast<int>(magnitude >> 23);
    half = round_shift((magnitude & 0x7fffffu) | 0x800000u, shift);
  }
  return static_cast<std::uint16_t>(sign | half);
}

float from_half_bits(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 0xffu : exponent + 112u;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

std::uint16_t to_bfloat_bits(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace

std::size_t size_of(DType dtype) {
  return facts_of(dtype).bytes;
}
std::string_view to_string(DType dtype) {
  return facts_of(dtype).name;
}
std::ostream& operator<<(std::ostream& out, DType dtype) {
  return out << to_string(dtype);
}
bool is_float(DType dtype) {
  return facts_of(dtype).is_float;
}
ConstantValue to_constant(DType dtype) {
  return {0, to_string(dtype)};
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (is_float(a) && is_float(b)) return DType::f32;
  if (is_float(a)) return a;
  if (is_float(b)) return b;
  if (a == DType::u8) return b;
  if (b == DType::u8) return a;
  return DType::i32;
}

Half::Half(float value) : bits(to_half_bits(value)) {}
Half::operator float() const {
  return from_half_bits(bits);
}
BFloat16::BFloat16(float value) : bits(to_bfloat_bits(value)) {}
BFloat16::operator float() const {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

float round_to(DType dtype, float value) {
  if (dtype == DType::f16) return static_cast<float>(Half(value));
  if (dtype == DType::bf16) return static_cast<float>(BFloat16(value));
  return value;
}

}  // namespace clmx
