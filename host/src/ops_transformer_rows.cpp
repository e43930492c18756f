#include <vector>

#include "checks.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_transformer.hpp"
#include "launch.hpp"
#include "loop_limit.hpp"
#include "ops_basic_tuning.hpp"

namespace clmx {
namespace {

/// Ops over rows of the last axis, by one work-item or one work-group a row.
struct RowLaunch {
  Kernel kernel;
  Grid grid;
  std::int64_t rows, width, per_item;
};

/// Three passes over a row: by GROUP items or vectors of 16, the sums by 16 chains. Softmax also
/// looks for the largest of GROUP.
void check_turns(const Stream& stream, std::int64_t width, std::size_t group, const char* op) {
  const auto shares = static_cast<std::int64_t>(std::min<std::size_t>(16, group));
  const std::int64_t turns = 3 * (width / shares + 16) + static_cast<std::int64_t>(group);
  require_turns(stream.device(), turns, op, "a last axis", width);
}

/// The kernel `op` of the file of that name.
RowLaunch row_launch(const Stream& stream, const char* op, std::string_view file, const Array& out,
                     Constants constants) {
  const DeviceInfo& device = stream.device().info();
  const std::int64_t width = out.shape(-1), rows = out.size() / width;
  const ShareTuning tuning = choose_rows(device, rows, width);
  const std::size_t group = tuning.wide ? 16 : choose_reduction_group(device, width);
  check_turns(stream, width, group, op);
  constants.push_back({"WIDE", tuning.wide});
  constants.push_back({"GROUP", group});
  const Kernel kernel = stream.device().kernel({kernels(), file, op, std::move(constants)});
  const Grid grid = tuning.wide ? share_grid(tuning, rows)
                                : Grid::groups(static_cast<std::size_t>(rows), 1, 1, group);
  return {kernel, grid, rows, width, tuning.per_item};
}

void check_parameter(const Array& x, const std::optional<Array>& parameter, const char* name) {
  if (!parameter) return;
  require_float(*parameter, "layer_norm", name);
  require(parameter->shape() == Shape{x.shape(-1)}, "layer_norm", name, " must have shape [",
          x.shape(-1), "] to match x, not ", parameter->shape());
}

DType type_of(const std::optional<Array>& parameter, DType otherwise) {
  return parameter ? parameter->dtype() : otherwise;
}

KernelArgument argument(const std::optional<Array>& parameter, const Stream& stream) {
  return parameter ? parameter->on(stream) : BufferArgument{};
}

Array tapped_norm(const Array& x, const std::optional<Array>& weight,
                  const std::optional<Array>& bias, float eps, const Array& out) {
  const LayerNormOptions options{eps, weight.has_value(), bias.has_value()};
  if (weight && bias) return tapped("layer_norm", {x, *weight, *bias}, options, out);
  if (weight) return tapped("layer_norm", {x, *weight}, options, out);
  if (bias) return tapped("layer_norm", {x, *bias}, options, out);
  return tapped("layer_norm", {x}, options, out);
}

}  // namespace

Array layer_norm(const Array& x, const std::optional<Array>& weight,
                 const std::optional<Array>& bias, float eps, StreamOrDevice s) {
  require_float(x, "layer_norm", "x");
  require_rank_at_least(x, 1, "layer_norm", "x");
  check_parameter(x, weight, "weight");
  check_parameter(x, bias, "bias");
  const Stream stream = s.resolve();
  const DType w = type_of(weight, x.dtype()), b = type_of(bias, x.dtype());
  // As in MLX, a bias alone widens nothing.
  const DType type = weight ? promote(promote(x.dtype(), w), b) : x.dtype();
  Array out = Array::empty(x.shape(), type, stream);
  if (out.size() == 0) return out;
  const RowLaunch n = row_launch(stream, "layer_norm", "layer_norm.cl", out,
                                 {{"X", x.dtype()},
                                  {"W", w},
                                  {"B", b},
                                  {"Y", out.dtype()},
                                  {"HAS_WEIGHT", weight.has_value()},
                                  {"HAS_BIAS", bias.has_value()},
                                  {"ROUND_BIAS", promote(type, b) != type}});
  const auto per_width = static_cast<float>(1.0 / static_cast<double>(n.width));
  launch(stream, n.kernel, n.grid, x, argument(weight, stream), argument(bias, stream), out, n.rows,
         n.width, per_width, eps, n.per_item, 1.0f);
  return tapped_norm(x, weight, bias, eps, out);
}

Array softmax(const Array& x, StreamOrDevice s) {
  if (x.rank() == 0) return softmax(x.reshape({1}), s).reshape(Shape{});
  if (!is_float(x.dtype())) return softmax(cast(x, DType::f32, s), s);
  const Stream stream = s.resolve();
  Array out = Array::empty(x.shape(), x.dtype(), stream);
  if (out.size() == 0) return out;
  const RowLaunch n = row_launch(stream, "softmax", "softmax.cl", out, {{"X", x.dtype()}});
  launch(stream, n.kernel, n.grid, x, out, n.rows, n.width, n.per_item, 1.0f);
  return tapped("softmax", {x}, NoOptions{}, out);
}

}  // namespace clmx
