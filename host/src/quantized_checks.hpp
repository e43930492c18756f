#pragma once

#include <optional>
#include <string_view>

#include "clmx/host/array.hpp"
#include "clmx/host/quantization.hpp"

namespace clmx {

/// Whether biases may have one column for all groups, as MLX's dequantize allows. With it, any
/// group size > 0 and 1 to 32 bits are accepted in affine mode, not only those that kernels
/// multiply.
enum class BiasColumns { one_per_group, may_broadcast };

/// MLX's checks of a quantized array's parts, in MLX's order: biases and scale type against the
/// mode, packed type, shapes of scales and biases, width against group size and bits. Any rank from
/// 2 on. Throws ArgumentError naming op.
void check_quantized(const Array& packed, const Array& scales, const std::optional<Array>& biases,
                     const QuantizationParams& params, BiasColumns columns, std::string_view op);

/// A global scale is f32, for nvfp4 only, and one number, or one of each of the `matrices` of a
/// stack.
void check_global_scale(const std::optional<Array>& global_scale, const QuantizationParams& params,
                        std::int64_t matrices, std::string_view op);

/// Throws unless the weight is a matrix and not a stack of them.
void require_matrix(const QuantizedWeight& w, std::string_view op);

/// The parts of a loose spelling as a weight, checked in MLX's order under the op's name.
QuantizedWeight loose_weight(const Array& packed, const Array& scales,
                             const std::optional<Array>& biases, const QuantizationParams& params,
                             const std::optional<Array>& global_scale, std::string_view op);

/// Elements of a row: packed columns * 32 / bits.
std::int64_t quantized_width(const Array& packed, const QuantizationParams& params);

}  // namespace clmx
