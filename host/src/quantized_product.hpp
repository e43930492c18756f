#pragma once

#include <optional>

#include "clmx/host/array.hpp"
#include "clmx/host/quantization.hpp"
#include "prepared_weight.hpp"
#include "tuning_quantized.hpp"

namespace clmx {

/// A checked product: x [m, k] float, the result's dtypes. No size is 0.
struct Product {
  Array x;
  const QuantizedWeight& w;
  std::optional<Array> bias;
  DType result;
  ProductShape shape;
  bool keeps_weight;  ///< whether the weight outlives the call, so that preparing it pays
};

/// What every kernel of a product is specialised on.
Constants format_constants(const Product& p);

/// Enqueues the columns of out [m, n] that belong to these rows of the weight, by the kernel of the
/// tuning; the rows are laid out as tuning.rows says.
void run_product(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
                 const Array& out, const Stream& stream);

/// run_product by the kernels of GPUs.
void run_lanes(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
               const Array& out, const Stream& stream);

/// Parts of a launch that all kernels share: the bias of these rows, or an unused array, and their
/// columns of out.
Array bias_of(const Product& p, const WeightRows& rows);
BufferArgument columns_of(const Array& out, const WeightRows& rows, const Stream& stream);

constexpr std::int32_t int_of(std::int64_t value) {
  return static_cast<std::int32_t>(value);
}

}  // namespace clmx
