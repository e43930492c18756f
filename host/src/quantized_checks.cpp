#include "quantized_checks.hpp"

#include <limits>

#include "checks.hpp"

namespace clmx {
namespace {

void check_mode(const Array& scales, const std::optional<Array>& biases,
                const QuantizationParams& params, std::string_view op) {
  if (params.mode == QuantizationMode::affine) {
    require(biases.has_value(), op, "affine mode needs biases");
    require_float(scales, op, "scales");
    require_float(*biases, op, "biases");
    return;
  }
  require(!biases, op, params.mode, " has no biases");
  require(scales.dtype() == DType::u8, op, params.mode, " scales must be u8, not ", scales.dtype());
}

void check_biases_shape(const Shape& scales, const Shape& biases, BiasColumns columns,
                        std::string_view op) {
  const bool one_column = columns == BiasColumns::may_broadcast && biases.rank() > 0 &&
                          biases[-1] == 1 && scales.with(-1, 1) == biases;
  require(biases == scales || one_column, op, "scales have shape ", scales, ", biases ", biases);
}

/// What can be dequantized, although it is neither quantized nor multiplied.
void check_decodable(const QuantizationParams& params, std::string_view op) {
  if (params.mode != QuantizationMode::affine) return check_supported(params, op);
  require(params.bit_count() > 0 && params.bit_count() <= 32, op, "bits must be 1 to 32, not ",
          params.bit_count());
  require(params.group() > 0, op, "the group size must be positive, not ", params.group());
}

}  // namespace

std::int64_t quantized_width(const Array& packed, const QuantizationParams& params) {
  return packed.shape(-1) * 32 / params.bit_count();
}

void check_quantized(const Array& packed, const Array& scales, const std::optional<Array>& biases,
                     const QuantizationParams& params, BiasColumns columns, std::string_view op) {
  check_mode(scales, biases, params, op);
  if (columns == BiasColumns::may_broadcast)
    check_decodable(params, op);
  else
    check_supported(params, op);
  require(packed.dtype() == DType::u32, op, "packed words must be u32, not ", packed.dtype());
  require_rank_at_least(packed, 2, op, "the packed weight");
  require(scales.rank() == packed.rank(), op, "scales have ", scales.rank(),
          " axes, the packed weight ", packed.rank());
  if (biases) check_biases_shape(scales.shape(), biases->shape(), columns, op);
  require(scales.shape().slice(0, scales.rank() - 1) == packed.shape().slice(0, packed.rank() - 1),
          op, "leading axes differ: packed ", packed.shape(), ", scales ", scales.shape());
  constexpr std::int64_t widest = std::numeric_limits<std::int32_t>::max();
  require(packed.shape(-1) <= widest && scales.shape(-1) <= widest, op,
          "a row is too wide: packed ", packed.shape(), ", scales ", scales.shape());
  const std::int64_t width = quantized_width(packed, params);
  require(width == scales.shape(-1) * params.group(), op, "packed ", packed.shape(), " with ",
          params.bit_count(), " bits has ", width, " columns, scales ", scales.shape(),
          " with group size ", params.group(), " have ", scales.shape(-1) * params.group());
  require(width * params.bit_count() == packed.shape(-1) * 32, op, "packed ", packed.shape(),
          " leaves bits over after ", width, " codes of ", params.bit_count(), " bits");
}

void check_global_scale(const std::optional<Array>& global_scale, const QuantizationParams& params,
                        std::int64_t matrices, std::string_view op) {
  if (!global_scale) return;
  require(params.mode == QuantizationMode::nvfp4, op, "global_scale belongs to nvfp4, not to ",
          params.mode);
  require(global_scale->dtype() == DType::f32, op, "global_scale must be f32, not ",
          global_scale->dtype());
  const bool fits =
      global_scale->size() == 1 || (global_scale->rank() == 1 && global_scale->size() == matrices);
  require(fits, op, "global_scale must be one number, or one for each of ", matrices,
          " matrices; its shape is ", global_scale->shape());
}

void require_matrix(const QuantizedWeight& w, std::string_view op) {
  require(w.packed().rank() == 2, op, "the weight must be a matrix, not a stack of shape ",
          w.packed().shape());
}

QuantizedWeight loose_weight(const Array& packed, const Array& scales,
                             const std::optional<Array>& biases, const QuantizationParams& params,
                             const std::optional<Array>& global_scale, std::string_view op) {
  check_quantized(packed, scales, biases, params, BiasColumns::one_per_group, op);
  check_global_scale(global_scale, params, packed.shape().elements(0, packed.rank() - 2), op);
  return {packed, scales, biases, params, global_scale};
}

}  // namespace clmx
