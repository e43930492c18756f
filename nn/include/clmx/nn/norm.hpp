#pragma once

#include <optional>

#include "clmx/nn/unary_layer.hpp"

namespace clmx {

/// x / sqrt(mean(x^2) + eps) * weight over the last axis. weight: [n] float.
class RMSNorm final : public UnaryLayer {
 public:
  /// Throws ArgumentError unless weight is a float vector, eps finite and not negative.
  explicit RMSNorm(Array weight, float eps = 1e-5f);
  /// Weight 1, as MLX initialises. Throws ArgumentError, naming dims, unless it is positive.
  static RMSNorm ones(std::int64_t dims, float eps = 1e-5f);
  /// x: [..., n] float. Result: x.shape; in `dtype`, absent: the promotion of x and weight.
  Array forward(const Array& x, StreamOrDevice s = {}) const override;
  Array normalized(const Array& x, DType dtype, StreamOrDevice s = {}) const;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override { return std::make_unique<RMSNorm>(*this); }
  std::string describe() const override;
  const Array& weight() const { return weight_; }
  float eps() const { return eps_; }

 private:
  Array weight_;
  float eps_;
};

/// (x - mean) / sqrt(variance + eps) * weight + bias over the last axis. weight, bias: [n] float,
/// each present or absent.
class LayerNorm final : public UnaryLayer {
 public:
  /// Throws ArgumentError unless dims is positive, the parameters are float vectors of dims, eps
  /// finite and not negative.
  explicit LayerNorm(std::int64_t dims, std::optional<Array> weight, std::optional<Array> bias = {},
                     float eps = 1e-5f);
  /// Weight 1 and bias 0, as MLX initialises.
  static LayerNorm ones(std::int64_t dims, float eps = 1e-5f, bool affine = true, bool bias = true);
  /// x: [..., dims] float. Result: x.shape in the promoted dtype.
  Array forward(const Array& x, StreamOrDevice s = {}) const override;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override { return std::make_unique<LayerNorm>(*this); }
  std::string describe() const override;
  const std::optional<Array>& weight() const { return weight_; }
  const std::optional<Array>& bias() const { return bias_; }
  float eps() const { return eps_; }

 private:
  std::int64_t dims_;
  std::optional<Array> weight_, bias_;
  float eps_;
};

}  // namespace clmx
