#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "clmx/host/mpq.hpp"
#include "clmx/nn/linear.hpp"

namespace clmx {

/// How forward reads the statistics of a symmetric GBA layer.
enum class MPQStatistics {
  expanded,  ///< scales and zeros of 16 bits each, made by prepare_params: the fastest kernels
  /// The double-quantized codes, 8 instead of 32 bits a group and the second-level values (less
  /// memory from dq_group_size 3 on); the same bits.
  direct
};

/// The constructor arguments of bitorch-engine's MPQLinearMlx, with its names and defaults, and
/// `statistics`, which is clmx's. n = out_channels, k = in_channels.
struct MPQLinearOptions {
  std::int64_t in_channels = 0, out_channels = 0;  ///< at most 2^31 - 1 each
  int a_bit = 16;                                  ///< bits of activations: 16
  int w_bit = 4;                                   ///< bits of weights: 2, 4 or 8
  DType dtype = DType::f16;                        ///< of statistics, bias and result: f16
  std::int64_t group_size = -1;                    ///< 32, 64 or 128; -1: k, if it is one of these
  bool use_gba_quant = true;        ///< double-quantized statistics; false: GPTQ tensors
  std::int64_t dq_group_size = -1;  ///< channels that share second-level values; -1: n
  int dq_mode = 2;  ///< second level [groups, n / dq_group_size, 1]; 1: [1, n, 1], asym and 2 bits
  bool disable_bias = true;
  bool asym = false;  ///< packed integer zero points; always so with GPTQ tensors
  /// Whether qweight, as stored, counts as trainable; nothing else does. clmx does not train.
  bool requires_grad = true;
  MPQStatistics statistics = MPQStatistics::expanded;
};

/// The tensors of a layer by their original names; what a kind of layer does not have is absent.
/// GBA: qstatistic, qzeros_zeros, qzeros_scales (symmetric) or qscales, qzeros (asym), and
/// qscales_zeros, qscales_scales. GPTQ: qzeros, scales. Shapes and dtypes: host/mpq.hpp.
/// bias: f16 [n]. g_idx: i32 [k].
struct MPQLinearTensors {
  Array qweight;
  std::optional<Array> qstatistic = {}, qzeros_zeros = {}, qzeros_scales = {};
  std::optional<Array> qscales = {}, qscales_zeros = {}, qscales_scales = {};
  std::optional<Array> qzeros = {}, scales = {};
  std::optional<Array> g_idx = {}, bias = {};
};

/// bitorch-engine's mixed-precision linear layer (MPQLinearMlx): y = x W^T (+ bias), x cast to f16,
/// y f16, the bias added to the f32 sum before the one rounding. Make or load it, then
/// prepare_params(), then forward.
class MPQLinear final : public LinearLayer, public Quantized {
 public:
  /// Tensors of zeros, but for scales of ones: GPTQ's, and those of the second level. Throws
  /// ArgumentError as check_parameters does, and when there is no memory for them.
  explicit MPQLinear(const MPQLinearOptions& options);
  /// Over these tensors. Throws ArgumentError also for one that is missing or has another shape or
  /// dtype, by its name, and for g_idx in another order than i / group_size (act-order).
  MPQLinear(const MPQLinearOptions& options, MPQLinearTensors tensors);

  /// Throws one ArgumentError that names every rule the options violate. The constructors do so.
  void check_parameters() const;
  /// What forward needs: turns qweight and, unless statistics are direct, expands scales and zeros,
  /// on the host. Releases the tensors it was made from unless told to keep them; without them the
  /// layer can be neither saved nor loaded. Doing it again changes nothing. Throws ArgumentError
  /// for tensors that do not fit, and for g_idx in another order than i / group_size (act-order).
  void prepare_params(bool keep_statistics = false);
  bool prepared() const { return expanded_ || compact_; }

  /// Replaces qweight: i32 [k / 32 * w_bit, n]; prepare_params is needed again, as after loading.
  /// Throws ArgumentError for another shape or dtype, and when the tensors were released.
  void set_qweight_data(const Array& qweight);

  /// Before prepare_params the stored tensor, i32 [k / 32 * w_bit, n]; afterwards MLX's rows, u32
  /// [n, k / 32 * w_bit].
  Array qweight() const;
  /// [n, groups] after prepare_params: f16 scales, and what is added to code * scale (-zeros; f16,
  /// with integer zero points f32). Throws ArgumentError before it. With direct statistics each
  /// call expands them anew.
  Array scales() const;
  Array zeros() const;
  const std::optional<Array>& bias() const { return tensors_.bias; }
  const MPQLinearOptions& options() const { return options_; }
  /// Bytes of weights and statistics that forward reads, after prepare_params.
  std::int64_t weight_bytes() const;

  std::int64_t in_features() const override { return options_.in_channels; }
  std::int64_t out_features() const override { return options_.out_channels; }
  /// x: [..., k] float. Result: [..., n], f16 unless dtype says otherwise. Throws ArgumentError
  /// before prepare_params and for another x.
  Array product(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const override;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override { return std::make_unique<MPQLinear>(*this); }
  std::string describe() const override;
  bool always_frozen(std::string_view key) const override {
    return released_ || !options_.requires_grad || key != "qweight";
  }
  void require_stored(std::string_view op) const override;
  /// Refuses act-order before anything is loaded.
  void check_extra(std::string_view name, const Array& value) const override;
  /// What prepare_params made, once it has; before, the bias alone: forward reads no stored tensor.
  void copy_to(const Stream& stream) const override;
  /// Floats of a file in another dtype are rounded to f16.
  void loaded() override;
  /// A Linear over the dequantized weight; dtype absent: f16.
  std::unique_ptr<Module> to_dense(std::optional<DType> dtype = {},
                                   StreamOrDevice s = {}) const override;

 private:
  friend int prepare_layers(Module& root, bool keep_statistics);
  MpqParams params() const;
  bool direct() const { return options_.statistics == MPQStatistics::direct; }
  void check_tensors() const;
  void require_prepared(std::string_view what) const;
  QuantizedWeight unpacked() const;
  QuantizedWeight weight() const;
  void release();
  void visit_released(Visitor& v);

  MPQLinearOptions options_;
  MPQLinearTensors tensors_;  // bias also when they were released
  bool released_ = false;
  std::optional<Array> ignored_;  // where loading puts what a file holds and no layer needs
  std::optional<QuantizedWeight> expanded_;
  std::optional<MpqWeight> compact_;
};

/// Prepares every MPQLinear of a model, itself included. Returns how many there are. All or
/// nothing: throws ArgumentError, naming the layer's path, as prepare_params does.
int prepare_layers(Module& root, bool keep_statistics = false);

}  // namespace clmx
