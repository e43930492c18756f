#include "product_inputs.hpp"

namespace clmx {

QuantizedWeight product_weight(const Inputs& in, const QuantizedMatmulOptions& o) {
  const ProductPlaces at{o};
  std::optional<Array> biases, global_scale;
  if (is_affine(o.params)) biases = in[at.biases()];
  if (o.has_global_scale) global_scale = in[at.global_scale()];
  return {in[1], in[2], biases, o.params, global_scale};
}

QmmOptions product_options(const Inputs& in, const QuantizedMatmulOptions& o) {
  QmmOptions options{.transpose = o.transpose, .bias = {}, .dtype = o.dtype};
  if (o.has_bias) options.bias = in[ProductPlaces{o}.bias()];
  return options;
}

reference::Weight reference_weight(const Doubles& in, const QuantizedMatmulOptions& o) {
  const ProductPlaces at{o};
  return {in[1], in[2], is_affine(o.params) ? &in[at.biases()] : nullptr, o.params,
          o.has_global_scale ? &in[at.global_scale()] : nullptr};
}

reference::ProductDetails reference_details(const Doubles& in, const QuantizedMatmulOptions& o) {
  return {o.transpose, o.has_bias ? &in[ProductPlaces{o}.bias()] : nullptr, o.dtype};
}

Inputs x_and_weight(Data data, DType x, const Shape& shape, WeightSpec weight, Random& random) {
  Inputs inputs{random_array(data == Data::extreme ? Data::normal : data, x, shape, random)};
  weight.data = data == Data::zeros || data == Data::one_hot ? Data::normal : data;
  append_weight(inputs, weight, random);
  return inputs;
}

Cost product_cost(const Inputs& in, const QuantizedMatmulOptions& o, double products) {
  const Shape &x = in[0].shape(), &scales = in[2].shape();
  const double rows = x.rank() > 1 ? static_cast<double>(x[-2]) : 1;
  const double weights = static_cast<double>(scales[-2] * scales[-1]) * o.params.group();
  double bytes = 0;
  for (const Array& array : in) bytes += static_cast<double>(array.bytes());
  return {bytes, 2 * products * rows * weights};
}

}  // namespace clmx
