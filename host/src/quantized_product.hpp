#pragma once

#include <optional>
#include <string_view>

#include "clmx/host/array.hpp"
#include "clmx/host/ops_products.hpp"
#include "clmx/host/quantization.hpp"
#include "prepared_weight.hpp"
#include "tuning_quantized.hpp"

namespace clmx {

/// Checked products of matrices x [m, k] with a weight: float x, the result's dtype.
struct Product {
  Array x;
  const QuantizedWeight& w;
  std::optional<Array> bias;
  DType result;
  ProductShape shape;        ///< of each product
  bool keeps_weight = true;  ///< whether the weight outlives the call, so that preparing it pays
  bool transpose = true;     ///< W [n, k]; else [k, n]
  std::int64_t batch = 1;    ///< products
  std::optional<Array> pairs = {};  ///< i32 [batch, 2], see matrix_pairs.hpp; none: one product,
                                    ///< the weight holds one matrix
};

/// What the inner axis of the weight, and the columns of the result, are.
std::int64_t inner_size(const QuantizedWeight& w, const QmmOptions& options);
std::int64_t result_columns(const QuantizedWeight& w, const QmmOptions& options);

/// Throws ArgumentError unless x, apart from batch axes, and the options fit the weight.
void check_product(const Array& x, const QuantizedWeight& w, const QmmOptions& options,
                   std::string_view op);

/// Throws ArgumentError where the device cannot sum k products over that many words and groups.
void require_product_turns(const Device& device, std::int64_t k, std::int64_t words,
                           std::int64_t groups, std::string_view op);

/// The checked arguments as one product of all rows of x with a weight of one matrix. Throws
/// ArgumentError where the device cannot sum that long; then an integer x is cast on the stream.
Product product_of(const Array& x, const QuantizedWeight& w, const QmmOptions& options,
                   const Stream& stream, std::string_view op);

/// x as a batch of matrices instead: shape.m rows each, multiplied as `pairs` says.
void make_batch(Product& p, std::int64_t batch, std::int64_t rows, Array pairs);

/// Enqueues everything: y [batch * m, n]. Any size may be 0.
Array multiply(const Product& p, const Stream& stream);

/// What a tap is shown: the arrays, in the order of QuantizedMatmulOptions, and the options.
std::vector<Array> tapped_inputs(const Array& x, const QuantizedWeight& w,
                                 const QmmOptions& options);
QuantizedMatmulOptions tapped_options(const QuantizedWeight& w, const QmmOptions& options);

/// What every kernel of a product is specialised on.
Constants format_constants(const Product& p);

/// Enqueues the columns of out [m, n] that belong to these rows of the weight, by the kernel of the
/// tuning; the rows are laid out as tuning.rows says.
void run_product(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
                 const Array& out, const Stream& stream);

/// run_product by the kernels of GPUs.
void run_lanes(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
               const Array& out, const Stream& stream);

/// run_product by the kernels for MLX's rows as they are, batches included.
void run_plain(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
               const Array& out, const Stream& stream);
void run_columns(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
                 const Array& out, const Stream& stream);

/// Parts of a launch that all kernels share: the bias of these rows, or an unused array, and their
/// columns of out.
Array bias_of(const Product& p, const WeightRows& rows);
BufferArgument columns_of(const Array& out, const WeightRows& rows, const Stream& stream);

constexpr std::int32_t int_of(std::int64_t value) {
  return static_cast<std::int32_t>(value);
}

}  // namespace clmx
