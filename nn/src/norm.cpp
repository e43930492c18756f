#include "clmx/nn/norm.hpp"

#include <cmath>

#include "as_dtype.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops_transformer.hpp"
#include "random_values.hpp"

namespace clmx {
namespace {

Array constant(std::int64_t dims, float value, const char* layer) {
  require_positive(dims, layer, "dims");
  return constant_array({dims}, value);
}

void check_eps(float eps, const char* layer) {
  require(eps >= 0 && std::isfinite(eps), layer, "eps must be finite and not negative, not ", eps);
}

void check_parameter(const std::optional<Array>& parameter, std::int64_t dims, const char* name) {
  if (!parameter) return;
  require(is_float(parameter->dtype()) && parameter->shape() == Shape{dims}, "LayerNorm", name,
          " must be a float vector of ", dims, ", not ", parameter->dtype(), ' ',
          parameter->shape());
}

}  // namespace

RMSNorm::RMSNorm(Array weight, float eps) : weight_(std::move(weight)), eps_(eps) {
  require(weight_.rank() == 1 && is_float(weight_.dtype()), "RMSNorm",
          "weight must be a float vector, not ", weight_.dtype(), ' ', weight_.shape());
  check_eps(eps, "RMSNorm");
}

RMSNorm RMSNorm::ones(std::int64_t dims, float eps) {
  return RMSNorm(constant(dims, 1, "RMSNorm"), eps);
}

Array RMSNorm::forward(const Array& x, StreamOrDevice s) const {
  return rms_norm(x, weight_, eps_, s);
}

Array RMSNorm::normalized(const Array& x, DType dtype, StreamOrDevice s) const {
  return as_dtype(forward(x, s), dtype, s);
}

void RMSNorm::visit(Visitor& v) {
  v.parameter("weight", weight_);
}

std::string RMSNorm::describe() const {
  return join("RMSNorm(dims=", weight_.shape(0), ", eps=", eps_, ")");
}

LayerNorm::LayerNorm(std::int64_t dims, std::optional<Array> weight, std::optional<Array> bias,
                     float eps)
    : dims_(dims), weight_(std::move(weight)), bias_(std::move(bias)), eps_(eps) {
  require_positive(dims, "LayerNorm", "dims");
  check_eps(eps, "LayerNorm");
  check_parameter(weight_, dims, "weight");
  check_parameter(bias_, dims, "bias");
}

LayerNorm LayerNorm::ones(std::int64_t dims, float eps, bool affine, bool bias) {
  std::optional<Array> one, zero;
  if (affine) one = constant(dims, 1, "LayerNorm");
  if (affine && bias) zero = constant(dims, 0, "LayerNorm");
  return LayerNorm(dims, std::move(one), std::move(zero), eps);
}

Array LayerNorm::forward(const Array& x, StreamOrDevice s) const {
  require(x.rank() > 0 && x.shape(-1) == dims_, "LayerNorm", "x has shape ", x.shape(),
          ", its last axis must be ", dims_);
  return layer_norm(x, weight_, bias_, eps_, s);
}

void LayerNorm::visit(Visitor& v) {
  v.optional_parameter("weight", weight_);
  v.optional_parameter("bias", bias_);
}

std::string LayerNorm::describe() const {
  return join("LayerNorm(dims=", dims_, ", eps=", eps_, ", affine=", weight_ ? "true" : "false",
              ", bias=", bias_ ? "true" : "false", ")");
}

}  // namespace clmx
