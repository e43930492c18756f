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

std::unique_ptr<Linear> Linear::random(std::int64_t in, std::int64_t out, std::uint64_t seed,
                                       bool bias) {
  const Shape shape{out, in};
  const float bound = 1.0f / std::sqrt(static_cast<float>(in));
  Array weight =
      Array::from(uniform_values(static_cast<std::size_t>(shape.elements()), bound, seed), shape);
  std::optional<Array> zeros;
  if (bias) zeros = Array::from(std::vector<float>(static_cast<std::size_t>(out)), Shape{out});
  return std::make_unique<Linear>(std::move(weight), std::move(zeros));
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

std::unique_ptr<Module> Linear::to_quantized(const QuantizationParams& params,
                                             StreamOrDevice s) const {
  return std::make_unique<QuantizedLinear>(quantize(weight_, params, s), bias_);
}

QuantizedLinear::QuantizedLinear(QuantizedWeight weight, std::optional<Array> bias)
    : weight_(std::move(weight)), bias_(std::move(bias)) {
  require(weight_.batch().rank() == 0, "QuantizedLinear", "the weight must be a matrix, not ",
          weight_.packed().shape());
  check_bias(bias_, weight_.out_features(), "QuantizedLinear");
}

Array QuantizedLinear::product(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const {
  return quantized_matmul(x, weight_, {.bias = bias_, .dtype = dtype}, s);
}

void QuantizedLinear::visit(Visitor& v) {
  v.quantized(weight_);
  v.optional_parameter("bias", bias_);
}

}  // namespace clmx
