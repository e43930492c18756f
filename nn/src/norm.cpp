#include "clmx/nn/norm.hpp"

#include "as_dtype.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops_transformer.hpp"

namespace clmx {

RMSNorm::RMSNorm(Array weight, float eps) : weight_(std::move(weight)), eps_(eps) {
  require(weight_.rank() == 1 && is_float(weight_.dtype()), "RMSNorm",
          "weight must be a float vector, not ", weight_.dtype(), ' ', weight_.shape());
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

}  // namespace clmx
