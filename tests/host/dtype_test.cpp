#include "clmx/host/dtype.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace clmx {
namespace {

// The value of a binary16 pattern, from the format's definition.
double half_value(unsigned bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31u);
  const double mantissa = bits & 1023u;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return bits & 0x8000u ? -magnitude : magnitude;
}

TEST(Half, WidensEveryFinitePatternExactly) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7c00u) == 0x7c00u) continue;
    Half half;
    half.bits = static_cast<std::uint16_t>(bits);
    ASSERT_EQ(static_cast<float>(half), static_cast<float>(half_value(bits))) << bits;
    ASSERT_EQ(Half(static_cast<float>(half)).bits, bits);
  }
}

TEST(Half, RoundsMidpointsToEvenAndTheirNeighboursToTheNearest) {
  for (unsigned bits = 0; bits + 1 < 0x7c00; ++bits) {
    const float middle = static_cast<float>((half_value(bits) + half_value(bits + 1)) / 2);
    ASSERT_EQ(Half(middle).bits, bits & 1u ? bits + 1 : bits) << bits;
    ASSERT_EQ(Half(std::nextafter(middle, 0.0f)).bits, bits);
    ASSERT_EQ(Half(std::nextafter(middle, 1e6f)).bits, bits + 1);
  }
}

TEST(Half, OverflowsToInfinityAndKeepsNaN) {
  EXPECT_EQ(Half(65519.0f).bits, 0x7bff);
  EXPECT_EQ(Half(65520.0f).bits, 0x7c00);
  EXPECT_EQ(Half(-std::numeric_limits<float>::infinity()).bits, 0xfc00);
  EXPECT_TRUE(std::isnan(static_cast<float>(Half(std::nanf("")))));
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(BFloat16(1.0f).bits, 0x3f80);
  EXPECT_EQ(BFloat16(1.00390625f).bits, 0x3f80);  // halfway, even below
  EXPECT_EQ(BFloat16(1.01171875f).bits, 0x3f82);  // halfway, even above
  EXPECT_EQ(BFloat16(std::numeric_limits<float>::max()).bits, 0x7f80);
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::nanf("")))));
}

TEST(DType, PromotesAsMlxDoes) {
  EXPECT_EQ(promote(DType::f16, DType::bf16), DType::f32);
  EXPECT_EQ(promote(DType::i32, DType::f16), DType::f16);
  EXPECT_EQ(promote(DType::u8, DType::u32), DType::u32);
  EXPECT_EQ(promote(DType::u32, DType::i32), DType::i32);
  EXPECT_EQ(promote(DType::bf16, DType::bf16), DType::bf16);
}

}  // namespace
}  // namespace clmx
