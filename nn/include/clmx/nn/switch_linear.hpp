#pragma once

#include <memory>
#include <optional>

#include "clmx/host/ops_products.hpp"
#include "clmx/nn/quantizable.hpp"

namespace clmx {

/// y = x W^T (+ bias) with a matrix W (and a bias) of its own for each expert, chosen by index: the
/// layers of a mixture of experts. A matrix of x has the bits of a Linear (QuantizedLinear) over
/// its expert's weight.
class SwitchLinearLayer : public Module {
 public:
  virtual std::int64_t num_experts() const = 0;
  virtual std::int64_t in_features() const = 0;
  virtual std::int64_t out_features() const = 0;
  /// x: [..., M, in] float; indices: i32, u32 or u8, the experts of x's matrices: their shape
  /// broadcasts with x's axes before the last two, to I. Result: I + [M, out], of MLX's promoted
  /// dtype. A token's x is [1, 1, in] for its k experts, indices [..., k]: result [..., k, 1, out].
  /// sorted_indices is a hint and changes nothing. Throws ArgumentError when x is not float, its
  /// width is not in_features or an index that the host holds is out of range; one that a device
  /// computed is reported by the stream's next read (see gather_qmm).
  Array forward(const Array& x, const Array& indices, bool sorted_indices = false,
                StreamOrDevice s = {}) const;

 private:
  /// at: has rhs alone.
  virtual Array product(const Array& x, const GatherIndices& at, StreamOrDevice s) const = 0;
};

class QuantizedSwitchLinear;

/// Dense weight: [num_experts, out, in] float; bias: [num_experts, out] float.
class SwitchLinear final : public SwitchLinearLayer, public Quantizable {
 public:
  static constexpr bool default_bias = true;

  /// Throws ArgumentError when the shapes do not fit or a part is not float.
  explicit SwitchLinear(Array weight, std::optional<Array> bias = {});
  /// As mlx-lm initialises: weight uniform in +-sqrt(1/in), bias zero; f32. The seed alone decides
  /// the numbers. Throws ArgumentError, naming input_dims, output_dims or num_experts, unless all
  /// are positive.
  static SwitchLinear random(std::int64_t input_dims, std::int64_t output_dims,
                             std::int64_t num_experts, std::uint64_t seed,
                             bool bias = default_bias);

  std::int64_t num_experts() const override { return weight_.shape(0); }
  std::int64_t in_features() const override { return weight_.shape(2); }
  std::int64_t out_features() const override { return weight_.shape(1); }
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override { return std::make_unique<SwitchLinear>(*this); }
  std::string describe() const override;
  using Quantizable::to_quantized;
  std::unique_ptr<Module> to_quantized(const QuantizationParams& params,
                                       StreamOrDevice s = {}) const override;
  /// The same with its type known.
  QuantizedSwitchLinear quantized(const QuantizationParams& params = {},
                                  StreamOrDevice s = {}) const;
  const Array& weight() const { return weight_; }
  const std::optional<Array>& bias() const { return bias_; }

 private:
  Array product(const Array& x, const GatherIndices& at, StreamOrDevice s) const override;

  Array weight_;
  std::optional<Array> bias_;
};

/// Quantized weight: a stack of num_experts matrices [out, in], in nvfp4 with one global scale for
/// all, one for each, or none; bias: [num_experts, out] float, added to the f32 sums before they
/// are rounded, as QuantizedLinear does. Frozen from the start, bias included.
class QuantizedSwitchLinear final : public SwitchLinearLayer, public Quantized {
 public:
  static constexpr int default_group_size = 64, default_bits = 4;  ///< of mode affine
  static constexpr bool default_bias = true;
  static constexpr QuantizationMode default_mode = QuantizationMode::affine;

  /// Throws ArgumentError when the weight is no stack of one batch axis, or bias has another shape
  /// or is not float.
  explicit QuantizedSwitchLinear(QuantizedWeight weight, std::optional<Array> bias = {});
  /// Throws ArgumentError as quantize does.
  static QuantizedSwitchLinear from_switch_linear(const SwitchLinear& linear,
                                                  const QuantizationParams& params = {},
                                                  StreamOrDevice s = {});

  std::int64_t num_experts() const override { return weight_.batch()[0]; }
  std::int64_t in_features() const override { return weight_.in_features(); }
  std::int64_t out_features() const override { return weight_.out_features(); }
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override {
    return std::make_unique<QuantizedSwitchLinear>(*this);
  }
  std::string describe() const override;
  std::unique_ptr<Module> to_dense(std::optional<DType> dtype = {},
                                   StreamOrDevice s = {}) const override;
  /// Itself: quantizing again changes nothing.
  QuantizedSwitchLinear quantized(const QuantizationParams& /*params*/ = {},
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
  Array product(const Array& x, const GatherIndices& at, StreamOrDevice s) const override;

  QuantizedWeight weight_;
  std::optional<Array> bias_;
};

}  // namespace clmx
