#pragma once

#include <optional>

#include "quantized_inputs.hpp"
#include "reference.hpp"

namespace clmx {

/// The inputs of the product ops, in the order in which a tap sees them: x, packed, scales, then
/// those that there are of biases, global_scale, bias, and what the op has besides.
struct ProductPlaces {
  const QuantizedMatmulOptions& options;
  std::size_t biases() const { return 3; }
  std::size_t global_scale() const { return biases() + (is_affine(options.params) ? 1 : 0); }
  std::size_t bias() const { return global_scale() + (options.has_global_scale ? 1 : 0); }
  std::size_t rest() const { return bias() + (options.has_bias ? 1 : 0); }
};

QuantizedWeight product_weight(const Inputs& in, const QuantizedMatmulOptions& o);
QmmOptions product_options(const Inputs& in, const QuantizedMatmulOptions& o);
reference::Weight reference_weight(const Doubles& in, const QuantizedMatmulOptions& o);
reference::ProductDetails reference_details(const Doubles& in, const QuantizedMatmulOptions& o);

/// x and a weight of a kind of data: what it is about is in x for zeros and one_hot, in the weight
/// for extreme, so that no result overflows, and in both else. weight.data is not read.
Inputs x_and_weight(Data data, DType x, const Shape& shape, WeightSpec weight, Random& random);

/// Of `products` products of the rows of a matrix of x with a matrix of the weight.
Cost product_cost(const Inputs& in, const QuantizedMatmulOptions& o, double products);

}  // namespace clmx
