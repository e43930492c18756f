#pragma once

#include <memory>
#include <optional>

#include "clmx/host/ops_quantized.hpp"
#include "clmx/nn/module.hpp"

namespace clmx {

/// y = x W^T (+ bias), whatever W is stored as. x: [..., in] float; y: [..., out].
class LinearLayer : public Module {
 public:
  virtual std::int64_t in_features() const = 0;
  virtual std::int64_t out_features() const = 0;
  /// In `dtype`; absent: MLX's promotion of x and the parameters.
  virtual Array product(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const = 0;
  /// Throws ArgumentError when x's width is not in_features.
  Array forward(const Array& x, StreamOrDevice s = {}) const { return product(x, {}, s); }
};

/// Dense weight: [out, in] float; bias: [out] float.
class Linear final : public LinearLayer {
 public:
  /// Throws ArgumentError when the shapes do not fit or a part is not float.
  explicit Linear(Array weight, std::optional<Array> bias = {});
  /// Uniform in +-sqrt(1/in), as MLX initialises; zero bias. For tests and benchmarks.
  static std::unique_ptr<Linear> random(std::int64_t in, std::int64_t out, std::uint64_t seed,
                                        bool bias = false);

  std::int64_t in_features() const override { return weight_.shape(1); }
  std::int64_t out_features() const override { return weight_.shape(0); }
  Array product(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const override;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> to_quantized(const QuantizationParams& params,
                                       StreamOrDevice s = {}) const override;
  const Array& weight() const { return weight_; }
  const std::optional<Array>& bias() const { return bias_; }

 private:
  Array weight_;
  std::optional<Array> bias_;
};

/// Quantized weight [out, in]; bias: [out] float, added as quantized_matmul does.
class QuantizedLinear final : public LinearLayer {
 public:
  /// Throws ArgumentError when bias has another shape or is not float.
  explicit QuantizedLinear(QuantizedWeight weight, std::optional<Array> bias = {});

  std::int64_t in_features() const override { return weight_.in_features(); }
  std::int64_t out_features() const override { return weight_.out_features(); }
  Array product(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const override;
  void visit(Visitor& v) override;
  bool always_frozen() const override { return true; }
  const QuantizedWeight& weight() const { return weight_; }
  const std::optional<Array>& bias() const { return bias_; }

 private:
  QuantizedWeight weight_;
  std::optional<Array> bias_;
};

}  // namespace clmx
