#pragma once

#include "clmx/nn/module.hpp"

namespace clmx {

/// x / sqrt(mean(x^2) + eps) * weight over the last axis. weight: [n] float.
class RMSNorm final : public Module {
 public:
  /// Throws ArgumentError unless weight is a float vector.
  RMSNorm(Array weight, float eps);
  /// x: [..., n] float. Result: x.shape; in `dtype`, absent: the promotion of x and weight.
  Array forward(const Array& x, StreamOrDevice s = {}) const;
  Array normalized(const Array& x, DType dtype, StreamOrDevice s = {}) const;
  void visit(Visitor& v) override;
  const Array& weight() const { return weight_; }
  float eps() const { return eps_; }

 private:
  Array weight_;
  float eps_;
};

}  // namespace clmx
