#include "clmx/host/ops_split.hpp"

#include <algorithm>
#include <cmath>

#include "checks.hpp"
#include "clmx/host/ops_basic.hpp"
#include "launch.hpp"
#include "ops_basic_tuning.hpp"
#include "quantized_checks.hpp"
#include "quantized_weight_state.hpp"

namespace clmx {
namespace {

std::int64_t width_of_all(std::span<const Array> parts) {
  constexpr const char* op = "concatenate";
  require(!parts.empty(), op, "there is nothing to concatenate");
  const Array& first = parts.front();
  require_rank_at_least(first, 1, op, "a part");
  std::int64_t width = 0;
  for (const Array& part : parts) {
    require(part.dtype() == first.dtype(), op, "dtypes differ: ", first.dtype(), " and ",
            part.dtype());
    require(part.rank() == first.rank() && part.shape().with(-1, 0) == first.shape().with(-1, 0),
            op, "shapes ", first.shape(), " and ", part.shape(),
            " differ in more than the last axis");
    width += part.shape(-1);
  }
  return width;
}

/// Rows of an array in a storage of their own, so that a device that needs them takes no others.
Array only_rows(const Array& array, std::int64_t begin, std::int64_t end) {
  const Array view = array.rows(begin, end);
  return Array::wrap(view.map_bytes(), view.shape(), view.dtype());
}

QuantizedWeight rows_of(const QuantizedWeight& w, std::int64_t begin, std::int64_t end) {
  std::optional<Array> biases;
  if (w.biases()) biases = only_rows(*w.biases(), begin, end);
  return {only_rows(w.packed(), begin, end), only_rows(w.scales(), begin, end), biases, w.params(),
          w.global_scale()};
}

/// The rows as a weight of its own, the same object each time: it keeps what devices prepared.
QuantizedWeight kept_rows(const QuantizedWeight& w, std::int64_t begin, std::int64_t end) {
  if (begin == 0 && end == w.out_features()) return w;
  QuantizedWeightState& state = *w.state();
  const std::lock_guard lock(state.parts_mutex);
  const auto found = state.parts.find({begin, end});
  if (found != state.parts.end()) return found->second;
  return state.parts.emplace(std::pair{begin, end}, rows_of(w, begin, end)).first->second;
}

}  // namespace

Array concatenate(std::span<const Array> parts, StreamOrDevice s) {
  const std::int64_t width = width_of_all(parts);
  const Array& first = parts.front();
  const std::int64_t rows = first.shape().elements(0, first.rank() - 1);
  const Stream stream = s.resolve();
  Array out = Array::empty(first.shape().with(-1, width), first.dtype(), stream);
  std::int64_t at = 0;
  for (const Array& part : parts) {
    const std::int64_t part_width = part.shape(-1);
    if (part.size() == 0) continue;
    const ShareTuning tuning = choose_elementwise(stream.device().info(), part_width);
    const Constants constants{{"ELEMENT", 8 * size_of(part.dtype())}, {"WIDE", tuning.wide}};
    const Kernel kernel =
        stream.device().kernel({kernels(), "concatenate.cl", "concatenate", constants});
    Grid grid = share_grid(tuning, part_width);
    grid.global[1] = static_cast<std::size_t>(rows);
    launch(stream, kernel, grid, part, out, part_width, width, at, tuning.per_item);
    at += part_width;
  }
  if (Tap* tap = current_tap()) tap->op("concatenate", std::any(NoOptions{}), parts, out);
  return out;
}

std::vector<std::int64_t> cut_rows(std::int64_t rows, std::span<const RowShare> shares) {
  constexpr std::int64_t step = 16;
  double all = 0;
  for (const RowShare& share : shares) {
    require(std::isfinite(share.share) && share.share >= 0, "cut_rows", "a share is ", share.share);
    all += share.share;
  }
  require(all > 0 && std::isfinite(all), "cut_rows", "there is no share above 0");
  std::vector<std::int64_t> cuts{0};
  double sum = 0;
  for (const RowShare& share : shares) {
    sum += share.share;
    const double exact = static_cast<double>(rows) * (sum / all);
    const auto cut = static_cast<std::int64_t>(std::llround(exact / step)) * step;
    cuts.push_back(std::clamp(cut, cuts.back(), rows));
  }
  cuts.back() = rows;
  // Trailing shares of 0 get no row of the last, incomplete step.
  for (std::size_t i = shares.size(); i > 1 && shares[i - 1].share == 0; --i) cuts[i - 1] = rows;
  return cuts;
}

Array quantized_matmul(const Array& x, const QuantizedWeight& w, const QmmOptions& options,
                       std::span<const RowShare> shares, StreamOrDevice s) {
  require_matrix(w, "quantized_matmul");
  require(options.transpose, "quantized_matmul", "rows are shared out with transpose only");
  const std::vector<std::int64_t> cuts = cut_rows(w.out_features(), shares);
  require(!options.bias || options.bias->shape() == Shape{w.out_features()}, "quantized_matmul",
          "bias must have shape [", w.out_features(), "]");
  const Stream stream = s.resolve();
  std::vector<Array> parts(shares.size());
  const auto multiply = [&](std::size_t i, const Stream& where) {
    if (cuts[i] == cuts[i + 1]) return;
    QmmOptions part = options;
    if (part.bias) part.bias = part.bias->rows(cuts[i], cuts[i + 1]);
    parts[i] = quantized_matmul(x, kept_rows(w, cuts[i], cuts[i + 1]), part, where);
    where.flush();
  };
  // The other devices first: they wait for x alone then, not for this device's part.
  for (const bool here : {false, true}) {
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const Stream where = shares[i].where.resolve();
      if ((where.device() == stream.device()) == here) multiply(i, here ? stream : where);
    }
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (cuts[i] != cuts[i + 1]) parts[kept++] = parts[i];
  }
  parts.resize(kept);
  if (parts.empty()) return quantized_matmul(x, w, options, stream);
  return parts.size() == 1 ? parts.front() : concatenate(parts, stream);
}

}  // namespace clmx
