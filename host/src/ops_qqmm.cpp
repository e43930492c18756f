#include <algorithm>
#include <utility>

#include "checks.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "host_activation.hpp"
#include "launch.hpp"
#include "on_device.hpp"
#include "probe.hpp"
#include "quantized_checks.hpp"
#include "quantized_product.hpp"

namespace clmx {
namespace {

constexpr const char* op = "qqmm";

void check_mode(QuantizationMode mode) {
  require(mode != QuantizationMode::affine, op,
          "activations are quantized in mxfp4, mxfp8 and nvfp4, not in affine mode");
}

void check_scales(const std::optional<Array>& of_x, const std::optional<Array>& of_w,
                  QuantizationMode mode) {
  require(of_x.has_value() == of_w.has_value(), op,
          "x and the weight have a global_scale each, or neither has one");
  check_global_scale(of_x, {mode}, 1, op);
}

Array activation_on_device(const Array& x, QuantizationMode mode,
                           const std::optional<Array>& global_scale, const Stream& stream) {
  const int group = QuantizationParams{mode}.group();
  const auto groups = static_cast<std::uint64_t>(x.size() / group);
  const Kernel kernel = stream.device().kernel({kernels(),
                                                "quantize_activation.cl",
                                                "quantize_activation",
                                                {{"X", x.dtype()},
                                                 {"MODE", static_cast<int>(mode)},
                                                 {"GROUP", group},
                                                 {"GLOBAL", global_scale.has_value()}}});
  Array out = Array::empty(x.shape(), x.dtype(), stream);
  const Grid grid = Grid::linear(groups, std::min<std::size_t>(kernel.max_work_group_size(), 16));
  launch(stream, kernel, grid, x, global_scale.value_or(x), out, groups);
  return out;
}

/// x rounded to the mode's format and back.
Array activation(const Array& x, QuantizationMode mode, const std::optional<Array>& global_scale,
                 const Stream& stream) {
  if (x.size() == 0) return x;
  const DeviceAbilities& able = abilities(stream.device());
  if (able.exact_division && able.exact_denormals)
    return activation_on_device(x, mode, global_scale, stream);
  return on_device(activation_on_host(x, mode, global_scale), stream);
}

Array run(const Array& x, const QuantizedWeight& w, const std::optional<Array>& global_scale,
          bool keeps_weight, const StreamOrDevice& s) {
  const QuantizationMode mode = w.params().mode;
  check_mode(mode);
  require_matrix(w, op);
  check_scales(global_scale, w.global_scale(), mode);
  check_product(x, w, {}, op);
  const Stream stream = s.resolve();
  Product p = product_of(x, w, {}, stream, op);
  p.x = activation(x, mode, global_scale, stream);
  p.keeps_weight = keeps_weight;
  Array out = multiply(p, stream).reshape(x.shape().with(-1, w.out_features()));
  if (Tap* tap = current_tap()) {
    std::vector<Array> inputs = tapped_inputs(x, w, {});
    if (global_scale) inputs.push_back(*global_scale);
    tap->op(op, std::any(QqmmOptions{w.params(), global_scale.has_value()}), inputs, out);
  }
  return out;
}

}  // namespace

Array qqmm(const Array& x, const QuantizedWeight& w, const std::optional<Array>& global_scale_x,
           StreamOrDevice s) {
  return run(x, w, global_scale_x, true, s);
}

// MLX's own signature. NOLINTNEXTLINE(readability-function-size)
Array qqmm(const Array& x, const Array& w, const std::optional<Array>& scales,
           std::optional<int> group_size, std::optional<int> bits, const ModeOrName& mode_or_name,
           const std::optional<Array>& global_scale_x, const std::optional<Array>& global_scale_w,
           StreamOrDevice s) {
  const QuantizationMode mode = mode_or_name.resolve(op);
  const QuantizationParams params{mode, group_size, bits};
  check_mode(mode);
  check_scales(global_scale_x, global_scale_w, mode);
  if (scales)
    return run(x, loose_weight(w, *scales, {}, params, global_scale_w, op), global_scale_x, false,
               s);
  require_float(w, op, "a weight without scales");
  require_float(x, op, "x");
  require(w.rank() == 2, op, "w must be a matrix, its shape is ", w.shape());
  require_rank_at_least(x, 1, op, "x");
  require(x.shape(-1) == w.shape(-1), op, "x has ", x.shape(-1), " columns, w has ", w.shape(-1));
  const Stream stream = s.resolve();
  return run(x, quantize(w, QuantizeOptions{params}, global_scale_w, stream), global_scale_x, false,
             stream);
}

}  // namespace clmx
