#pragma once

#include <memory>
#include <string>

#include "clmx/host/ops.hpp"
#include "clmx/nn/unary_layer.hpp"

namespace clmx {

/// A layer without parameters that applies one op: x any shape, float; result as the op's.
template <Array (*op)(const Array&, StreamOrDevice), const char* name>
class Activation final : public UnaryLayer {
 public:
  Array forward(const Array& x, StreamOrDevice s = {}) const override { return op(x, s); }
  void visit(Visitor& /*v*/) override {}
  std::unique_ptr<Module> clone() const override { return std::make_unique<Activation>(*this); }
  std::string describe() const override { return name; }
};

namespace activation_names {
// Template arguments have to be arrays. NOLINTBEGIN(modernize-avoid-c-arrays)
inline constexpr char silu[] = "SiLU()", gelu[] = "GELU()", gelu_approx[] = "GELU(approx=precise)",
                      gelu_fast_approx[] = "GELU(approx=fast)", softmax[] = "Softmax()",
                      relu[] = "ReLU()", sigmoid[] = "Sigmoid()", tanh[] = "Tanh()";
// NOLINTEND(modernize-avoid-c-arrays)
}  // namespace activation_names

using SiLU = Activation<silu, activation_names::silu>;
using GELU = Activation<gelu, activation_names::gelu>;
/// MLX's GELU(approx="precise") and ("fast").
using GELUApprox = Activation<gelu_approx, activation_names::gelu_approx>;
using GELUFastApprox = Activation<gelu_fast_approx, activation_names::gelu_fast_approx>;
using ReLU = Activation<relu, activation_names::relu>;
using Sigmoid = Activation<sigmoid, activation_names::sigmoid>;
using Tanh = Activation<tanh, activation_names::tanh>;
/// Along the last axis.
using Softmax = Activation<softmax, activation_names::softmax>;

}  // namespace clmx
