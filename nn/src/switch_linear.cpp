#include "clmx/nn/switch_linear.hpp"

#include <cmath>

#include "as_dtype.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "random_values.hpp"

namespace clmx {
namespace {

void check_bias(const std::optional<Array>& bias, std::int64_t num_experts,
                std::int64_t out_features, const char* layer) {
  if (!bias) return;
  require(is_float(bias->dtype()), layer, "bias must be float, not ", bias->dtype());
  require(bias->shape() == Shape{num_experts, out_features}, layer, "bias has shape ",
          bias->shape(), ", the weight has ", num_experts, " experts of ", out_features, " rows");
}

/// y [..., M, out] plus the bias of each product's expert.
Array add_bias(const Array& y, const Array& bias, const Array& indices, StreamOrDevice s) {
  const Shape rows = joined(indices.shape(), {1, bias.shape(1)});
  return add(y, gather(bias, indices, s).reshape(rows), s);
}

/// The type of a product that is given none: MLX's promotion.
DType promoted(const Array& x, const QuantizedWeight& w) {
  if (!w.biases()) return x.dtype();
  return promote(promote(x.dtype(), w.scales().dtype()), w.biases()->dtype());
}

}  // namespace

Array SwitchLinearLayer::forward(const Array& x, const Array& indices, bool sorted_indices,
                                 StreamOrDevice s) const {
  require(is_float(x.dtype()), "SwitchLinear", "x must be float, not ", x.dtype());
  return product(x, {.rhs = indices, .sorted = sorted_indices}, s);
}

SwitchLinear::SwitchLinear(Array weight, std::optional<Array> bias)
    : weight_(std::move(weight)), bias_(std::move(bias)) {
  require(weight_.rank() == 3 && is_float(weight_.dtype()), "SwitchLinear",
          "weight must be a float stack of matrices, not ", weight_.dtype(), ' ', weight_.shape());
  check_bias(bias_, num_experts(), out_features(), "SwitchLinear");
}

SwitchLinear SwitchLinear::random(std::int64_t input_dims, std::int64_t output_dims,
                                  std::int64_t num_experts, std::uint64_t seed, bool bias) {
  require_positive(input_dims, "SwitchLinear", "input_dims");
  require_positive(output_dims, "SwitchLinear", "output_dims");
  require_positive(num_experts, "SwitchLinear", "num_experts");
  const float bound = 1.0f / std::sqrt(static_cast<float>(input_dims));
  Array weight = uniform_array({num_experts, output_dims, input_dims}, bound, seed);
  if (!bias) return SwitchLinear(std::move(weight));
  return SwitchLinear(std::move(weight), constant_array({num_experts, output_dims}, 0));
}

Array SwitchLinear::product(const Array& x, const GatherIndices& at, StreamOrDevice s) const {
  const Array y = gather_mm(x, weight_, at, true, s);
  return bias_ ? add_bias(y, *bias_, *at.rhs, s) : y;
}

void SwitchLinear::visit(Visitor& v) {
  v.parameter("weight", weight_);
  v.optional_parameter("bias", bias_);
}

std::string SwitchLinear::describe() const {
  return join("SwitchLinear(input_dims=", in_features(), ", output_dims=", out_features(),
              ", num_experts=", num_experts(), ", bias=", bias_ ? "true" : "false", ")");
}

std::unique_ptr<Module> SwitchLinear::to_quantized(const QuantizationParams& params,
                                                   StreamOrDevice s) const {
  return std::make_unique<QuantizedSwitchLinear>(quantized(params, s));
}

QuantizedSwitchLinear SwitchLinear::quantized(const QuantizationParams& params,
                                              StreamOrDevice s) const {
  require(in_features() > 0, "SwitchLinear", "rows of width 0 have no quantized form");
  return QuantizedSwitchLinear(quantize(weight_, params, s), bias_);
}

QuantizedSwitchLinear::QuantizedSwitchLinear(QuantizedWeight weight, std::optional<Array> bias)
    : weight_(std::move(weight)), bias_(std::move(bias)) {
  require(weight_.batch().rank() == 1, "QuantizedSwitchLinear",
          "the weight must be a stack of matrices, not ", weight_.packed().shape());
  check_bias(bias_, num_experts(), out_features(), "QuantizedSwitchLinear");
}

QuantizedSwitchLinear QuantizedSwitchLinear::from_switch_linear(const SwitchLinear& linear,
                                                                const QuantizationParams& params,
                                                                StreamOrDevice s) {
  return linear.quantized(params, s);
}

Array QuantizedSwitchLinear::product(const Array& x, const GatherIndices& at,
                                     StreamOrDevice s) const {
  if (!bias_) return gather_qmm(x, weight_, at, {}, s);
  // Rounded once, after the bias, as in QuantizedLinear.
  const Array sums = gather_qmm(x, weight_, at, {.dtype = DType::f32}, s);
  return as_dtype(add_bias(sums, *bias_, *at.rhs, s), promote(promoted(x, weight_), bias_->dtype()),
                  s);
}

void QuantizedSwitchLinear::visit(Visitor& v) {
  v.quantized(weight_);
  v.optional_parameter("bias", bias_);
}

std::string QuantizedSwitchLinear::describe() const {
  return join("QuantizedSwitchLinear(input_dims=", in_features(), ", output_dims=", out_features(),
              ", num_experts=", num_experts(), ", bias=", bias_ ? "true" : "false",
              ", group_size=", group_size(), ", bits=", bits(), ", mode=", mode(), ")");
}

std::unique_ptr<Module> QuantizedSwitchLinear::to_dense(std::optional<DType> dtype,
                                                        StreamOrDevice s) const {
  return std::make_unique<SwitchLinear>(dequantize(weight_, dtype, s), bias_);
}

}  // namespace clmx
