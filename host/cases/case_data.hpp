#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

#include "op_case.hpp"

namespace clmx {

inline constexpr std::array float_types{DType::f32, DType::f16, DType::bf16};

/// SplitMix64 (https://prng.di.unimi.it/splitmix64.c): the same numbers from every compiler.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits();
  double uniform();  ///< [0, 1)
  double normal();   ///< mean 0, deviation 1, below 9 in magnitude
  std::int64_t integer(std::int64_t low, std::int64_t high);  ///< both included

 private:
  std::uint64_t state_;
};

/// Kinds of float data. Magnitudes are such that no dtype overflows or becomes subnormal.
enum class Data {
  normal,
  positive,   ///< |normal|: errors of one sign add up
  lognormal,  ///< a few large elements, either sign
  integers,   ///< -4 .. 4: sums are exact in any order
  zeros,
  one_hot,  ///< one element of each row is 1
  extreme   ///< magnitudes over 24 powers of two (14 in f16), either sign
};
std::string_view to_string(Data data);

/// Values of that kind, multiplied by scale and rounded to dtype (f32, f16 or bf16).
Array random_array(Data data, DType dtype, const Shape& shape, Random& random, double scale = 1.0);
/// u32 words of random bits.
Array random_words(const Shape& shape, Random& random);
/// Integers of any integer dtype, low .. high.
Array random_integers(DType dtype, const Shape& shape, Random& random, std::int64_t low,
                      std::int64_t high);
/// The given values, rounded to a float dtype. Throws FormatError for a value that an integer dtype
/// does not hold.
Array array_of(const std::vector<double>& values, DType dtype, const Shape& shape);

/// An input maker for float arrays of the given shapes.
std::function<Inputs(std::uint64_t)> floats(Data data, const std::vector<DType>& dtypes,
                                            const std::vector<Shape>& shapes);
/// The same of ones alone, for calls that are refused.
std::function<Inputs()> ones(const std::vector<DType>& dtypes, const std::vector<Shape>& shapes);

}  // namespace clmx
