#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string_view>

#include "clmx/devices/kernel.hpp"

namespace clmx {

/// Element types of arrays. Files holding i64 or bool are converted on read; f64 exists only in
/// references.
enum class DType : std::uint8_t { f32, f16, bf16, u8, u32, i32 };

/// Bytes of one element.
std::size_t size_of(DType dtype);
/// "f32", "f16", ...
std::string_view to_string(DType dtype);
std::ostream& operator<<(std::ostream& out, DType dtype);
bool is_float(DType dtype);
/// The type of an operation over both: the wider float; f16 with bf16 gives f32; an integer with a
/// float gives the float; of two integers i32, unless both are the same. (MLX's rules for these
/// types.)
DType promote(DType a, DType b);
/// Its name as a kernel constant.
ConstantValue to_constant(DType dtype);

/// IEEE binary16 and bfloat16 as their bits, with exact widening and round-to-nearest-even
/// narrowing (overflow gives infinity, subnormals are kept, NaN stays NaN).
struct Half {
  std::uint16_t bits = 0;
  Half() = default;
  explicit Half(float value);
  explicit operator float() const;
  bool operator==(const Half&) const = default;
};
struct BFloat16 {
  std::uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value);
  explicit operator float() const;
  bool operator==(const BFloat16&) const = default;
};

/// value rounded to a float dtype and widened again (rT of the quantization formulas).
float round_to(DType dtype, float value);

/// The C++ type of an element, and back.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<Half> {
  static constexpr DType value = DType::f16;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<std::uint32_t> {
  static constexpr DType value = DType::u32;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <class T>
concept Element = requires {
  DTypeOf<T>::value;
};

}  // namespace clmx
