#pragma once

#include <array>

#include "case_data.hpp"

namespace clmx {

inline bool is_affine(const QuantizationParams& params) {
  return params.mode == QuantizationMode::affine;
}

inline constexpr QuantizationParams affine4_64{};
inline constexpr QuantizationParams affine4_32{QuantizationMode::affine, 32, 4};
inline constexpr QuantizationParams affine8_32{QuantizationMode::affine, 32, 8};
inline constexpr QuantizationParams affine8_64{QuantizationMode::affine, 64, 8};
inline constexpr QuantizationParams mxfp4{QuantizationMode::mxfp4};
inline constexpr QuantizationParams mxfp8{QuantizationMode::mxfp8};
inline constexpr QuantizationParams nvfp4{QuantizationMode::nvfp4};
inline constexpr std::array all_params{affine4_64, affine4_32, affine8_32, affine8_64, mxfp4};

/// Every mode with all its group sizes and bits; groups of 16 with the bits that fill whole words.
const std::vector<QuantizationParams>& every_format();

/// A random quantized matrix [rows, width], or a stack of them, its stored parts made directly.
struct WeightSpec {
  Data data = Data::normal;   ///< of scales and biases; integers gives exact products
  DType stored = DType::f32;  ///< of scales and biases in affine mode
  QuantizationParams params = {};
  std::int64_t rows = 0, width = 0;
  Shape batch = {};
};

/// Appends packed, scales and, in affine mode, biases. No code and no scale is NaN.
void append_weight(Inputs& inputs, const WeightSpec& spec, Random& random);

/// Appends what nvfp4's scales are multiplied by: 2688, that is 1, for exact data.
void append_global_scale(Inputs& inputs, const WeightSpec& spec, bool one_each, Random& random);

}  // namespace clmx
