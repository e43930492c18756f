#pragma once

#include <memory>
#include <optional>

#include "clmx/host/ops_quantized.hpp"
#include "clmx/nn/quantizable.hpp"
#include "clmx/nn/unary_layer.hpp"

namespace clmx {

/// y = x W^T (+ bias), whatever W is stored as. x: [..., in] float; y: [..., out].
class LinearLayer : public UnaryLayer {
 public:
  virtual std::int64_t in_features() const = 0;
  virtual std::int64_t out_features() const = 0;
  /// In `dtype`; absent: MLX's promotion of x and the parameters.
  virtual Array product(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const = 0;
  /// Throws ArgumentError when x is not float or its width is not in_features.
  Array forward(const Array& x, StreamOrDevice s = {}) const final { return product(x, {}, s); }
};

class QuantizedLinear;

/// Dense weight: [out, in] float; bias: [out] float.
class Linear final : public LinearLayer, public Quantizable {
 public:
  static constexpr bool default_bias = true;

  /// Throws ArgumentError when the shapes do not fit or a part is not float.
  explicit Linear(Array weight, std::optional<Array> bias = {});
  /// As MLX initialises: weight uniform in +-sqrt(1/in), bias zero; f32. The seed alone decides the
  /// numbers. Throws ArgumentError, naming input_dims or output_dims, unless both are positive.
  static Linear random(std::int64_t input_dims, std::int64_t output_dims, std::uint64_t seed,
                       bool bias = default_bias);

  std::int64_t in_features() const override { return weight_.shape(1); }
  std::int64_t out_features() const override { return weight_.shape(0); }
  Array product(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const override;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override { return std::make_unique<Linear>(*this); }
  std::string describe() const override;
  using Quantizable::to_quantized;
  std::unique_ptr<Module> to_quantized(const QuantizationParams& params,
                                       StreamOrDevice s = {}) const override;
  /// The same with its type known.
  QuantizedLinear quantized(const QuantizationParams& params = {}, StreamOrDevice s = {}) const;
  const Array& weight() const { return weight_; }
  const std::optional<Array>& bias() const { return bias_; }

 private:
  Array weight_;
  std::optional<Array> bias_;
};

/// Quantized weight [out, in]; bias: [out] float, added as quantized_matmul does. Frozen from the
/// start, bias included, as in mlx-rs; in MLX a bias taken over from a dense layer can be trained.
class QuantizedLinear final : public LinearLayer, public Quantized {
 public:
  static constexpr int default_group_size = 64, default_bits = 4;  ///< of mode affine
  static constexpr bool default_bias = true;
  static constexpr QuantizationMode default_mode = QuantizationMode::affine;

  /// Throws ArgumentError when bias has another shape or is not float, or the weight is a stack.
  explicit QuantizedLinear(QuantizedWeight weight, std::optional<Array> bias = {});
  /// Throws ArgumentError as quantize does.
  static QuantizedLinear from_linear(const Linear& linear, const QuantizationParams& params = {},
                                     StreamOrDevice s = {});
  /// Over the quantized weight of Linear::random.
  static QuantizedLinear random(std::int64_t input_dims, std::int64_t output_dims,
                                std::uint64_t seed, bool bias = default_bias,
                                const QuantizationParams& params = {}, StreamOrDevice s = {});

  std::int64_t in_features() const override { return weight_.in_features(); }
  std::int64_t out_features() const override { return weight_.out_features(); }
  Array product(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const override;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override {
    return std::make_unique<QuantizedLinear>(*this);
  }
  std::string describe() const override;
  std::unique_ptr<Module> to_dense(std::optional<DType> dtype = {},
                                   StreamOrDevice s = {}) const override;
  /// Itself: quantizing again changes nothing.
  QuantizedLinear quantized(const QuantizationParams& /*params*/ = {},
                            StreamOrDevice /*s*/ = {}) const {
    return *this;
  }
  const QuantizedWeight& weight() const { return weight_; }
  const Array& scales() const { return weight_.scales(); }
  const std::optional<Array>& biases() const { return weight_.biases(); }  ///< affine only
  const std::optional<Array>& bias() const { return bias_; }
  QuantizationMode mode() const { return weight_.params().mode; }
  int group_size() const { return weight_.params().group(); }
  int bits() const { return weight_.params().bit_count(); }

 private:
  QuantizedWeight weight_;
  std::optional<Array> bias_;
};

}  // namespace clmx
