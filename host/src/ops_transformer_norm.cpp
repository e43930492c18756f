#include <algorithm>

#include "checks.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_transformer.hpp"
#include "launch.hpp"
#include "loop_limit.hpp"
#include "ops_basic_tuning.hpp"

namespace clmx {
namespace {

void check_weight(const Array& x, const std::optional<Array>& weight, const char* op) {
  if (!weight) return;
  require_float(*weight, op, "weight");
  require(weight->shape() == Shape{x.shape(-1)}, op, "weight must have shape [", x.shape(-1),
          "] to match x, not ", weight->shape());
}

DType result_type(DType x, const std::optional<Array>& weight) {
  return weight ? promote(x, weight->dtype()) : x;
}

struct NormLaunch {
  Kernel kernel;
  Grid grid;
  std::int64_t rows, width, per_item;
  float per_width;
};

/// The three passes over a row: by GROUP items or vectors of 16, the
/// sum by 16 chains.
void check_turns(const Stream& stream, std::int64_t width, std::size_t group) {
  const auto shares = static_cast<std::int64_t>(std::min<std::size_t>(16, group));
  require_turns(stream.device(), 3 * (width / shares + 16), "rms_norm", "a last axis", width);
}

NormLaunch norm_launch(const Stream& stream, const Array& normed, DType x,
                       const std::optional<Array>& weight, Constants constants) {
  const DeviceInfo& device = stream.device().info();
  const std::int64_t width = normed.shape(-1), rows = normed.size() / width;
  const ShareTuning tuning = choose_rows(device, rows, width);
  const std::size_t group = tuning.wide ? 16 : choose_reduction_group(device, width);
  check_turns(stream, width, group);
  const Constants common{{"X", x},
                         {"W", weight ? weight->dtype() : x},
                         {"Y", normed.dtype()},
                         {"HAS_WEIGHT", weight.has_value()},
                         {"WIDE", tuning.wide},
                         {"GROUP", group}};
  constants.insert(constants.end(), common.begin(), common.end());
  const Kernel kernel =
      stream.device().kernel({kernels(), "rms_norm.cl", "rms_norm", std::move(constants)});
  const Grid grid = tuning.wide ? share_grid(tuning, rows)
                                : Grid::groups(static_cast<std::size_t>(rows), 1, 1, group);
  return {kernel,
          grid,
          rows,
          width,
          tuning.per_item,
          static_cast<float>(1.0 / static_cast<double>(width))};
}

KernelArgument weight_argument(const std::optional<Array>& weight, const Stream& stream) {
  return weight ? weight->on(stream) : BufferArgument{};
}

}  // namespace

Array rms_norm(const Array& x, const std::optional<Array>& weight, float eps, StreamOrDevice s) {
  require_float(x, "rms_norm", "x");
  require_rank_at_least(x, 1, "rms_norm", "x");
  check_weight(x, weight, "rms_norm");
  const Stream stream = s.resolve();
  Array out = Array::empty(x.shape(), result_type(x.dtype(), weight), stream);
  if (out.size() == 0) return out;
  const NormLaunch n = norm_launch(stream, out, x.dtype(), weight, {{"ADD", 0}});
  launch(stream, n.kernel, n.grid, x, weight_argument(weight, stream), out, n.rows, n.width,
         n.per_width, eps, n.per_item);
  if (!weight) return tapped("rms_norm", {x}, RmsNormOptions{eps}, out);
  return tapped("rms_norm", {x, *weight}, RmsNormOptions{eps}, out);
}

AddedNorm add_rms_norm(const Array& a, const Array& b, const std::optional<Array>& weight,
                       float eps, StreamOrDevice s) {
  require_float(a, "add_rms_norm", "a");
  require_float(b, "add_rms_norm", "b");
  require_rank_at_least(a, 1, "add_rms_norm", "a");
  require(a.shape() == b.shape(), "add_rms_norm", "a has shape ", a.shape(), ", b has ", b.shape(),
          "; they must be equal");
  check_weight(a, weight, "add_rms_norm");
  const Stream stream = s.resolve();
  const DType sum_type = promote(a.dtype(), b.dtype());
  Array sum = Array::empty(a.shape(), sum_type, stream);
  Array out = Array::empty(a.shape(), result_type(sum_type, weight), stream);
  if (out.size() == 0) return {sum, out};
  const NormLaunch n =
      norm_launch(stream, out, sum_type, weight, {{"ADD", 1}, {"A", a.dtype()}, {"B", b.dtype()}});
  launch(stream, n.kernel, n.grid, a, b, sum, weight_argument(weight, stream), out, n.rows, n.width,
         n.per_width, eps, n.per_item);
  sum = tapped("add", {a, b}, NoOptions{}, sum);
  if (!weight) return {sum, tapped("rms_norm", {sum}, RmsNormOptions{eps}, out)};
  return {sum, tapped("rms_norm", {sum, *weight}, RmsNormOptions{eps}, out)};
}

}  // namespace clmx
