#include "clmx/nn/linear.hpp"

#include <cmath>

#include "as_dtype.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "random_values.hpp"

namespace clmx {
namespace {

void check_bias(const std::optional<Array>& bias, std::int64_t out_features, const char* layer) {
  if (!bias) return;
  require(is_float(bias->dtype()), layer, "bias must be float, not ", bias->dtype());
  require(bias->shape() == Shape{out_features}, layer, "bias has shape ", bias->shape(),
          ", the weight has ", out_features, " rows");
}

}  // namespace

Linear::Linear(Array weight, std::optional<Array> bias)
    : weight_(std::move(weight)), bias_(std::move(bias)) {
  require(weight_.rank() == 2 && is_float(weight_.dtype()), "Linear",
          "weight must be a float matrix, not ", weight_.dtype(), ' ', weight_.shape());
  check_bias(bias_, weight_.shape(0), "Linear");
}

Linear Linear::random(std::int64_t input_dims, std::int64_t output_dims, std::uint64_t seed,
                      bool bias) {
  require_positive(input_dims, "Linear", "input_dims");
  require_positive(output_dims, "Linear", "output_dims");
  const Shape shape{output_dims, input_dims};
  const float bound = 1.0f / std::sqrt(static_cast<float>(input_dims));
  Array weight = uniform_array(shape, bound, seed);
  if (!bias) return Linear(std::move(weight));
  return Linear(std::move(weight), constant_array({output_dims}, 0));
}

Array Linear::product(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const {
  Array y = matmul(x, weight_, true, s);
  if (bias_) y = add(y, *bias_, s);
  return as_dtype(y, dtype, s);
}

void Linear::visit(Visitor& v) {
  v.parameter("weight", weight_);
  v.optional_parameter("bias", bias_);
}

std::string Linear::describe() const {
  return join("Linear(input_dims=", in_features(), ", output_dims=", out_features(),
              ", bias=", bias_ ? "true" : "false", ")");
}

std::unique_ptr<Module> Linear::to_quantized(const QuantizationParams& params,
                                             StreamOrDevice s) const {
  return std::make_unique<QuantizedLinear>(quantized(params, s));
}

QuantizedLinear Linear::quantized(const QuantizationParams& params, StreamOrDevice s) const {
  require(in_features() > 0, "Linear", "rows of width 0 have no quantized form");
  return QuantizedLinear(quantize(weight_, params, s), bias_);
}

QuantizedLinear::QuantizedLinear(QuantizedWeight weight, std::optional<Array> bias)
    : weight_(std::move(weight)), bias_(std::move(bias)) {
  require(weight_.batch().rank() == 0, "QuantizedLinear", "the weight must be a matrix, not ",
          weight_.packed().shape());
  check_bias(bias_, weight_.out_features(), "QuantizedLinear");
}

Array QuantizedLinear::product(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const {
  require(is_float(x.dtype()), "QuantizedLinear", "x must be float, not ", x.dtype());
  return quantized_matmul(x, weight_, {.bias = bias_, .dtype = dtype}, s);
}

void QuantizedLinear::visit(Visitor& v) {
  v.quantized(weight_);
  v.optional_parameter("bias", bias_);
}

QuantizedLinear QuantizedLinear::from_linear(const Linear& linear, const QuantizationParams& params,
                                             StreamOrDevice s) {
  return linear.quantized(params, s);
}

QuantizedLinear QuantizedLinear::random(std::int64_t input_dims, std::int64_t output_dims,
                                        std::uint64_t seed, bool bias,
                                        const QuantizationParams& params, StreamOrDevice s) {
  return Linear::random(input_dims, output_dims, seed, bias).quantized(params, s);
}

std::string QuantizedLinear::describe() const {
  return join("QuantizedLinear(input_dims=", in_features(), ", output_dims=", out_features(),
              ", bias=", bias_ ? "true" : "false", ", group_size=", group_size(), ", bits=", bits(),
              ", mode=", mode(), ")");
}

std::unique_ptr<Module> QuantizedLinear::to_dense(std::optional<DType> dtype,
                                                  StreamOrDevice s) const {
  return std::make_unique<Linear>(dequantize(weight_, dtype, s), bias_);
}

}  // namespace clmx
