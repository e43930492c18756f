#include <limits>

#include "checks.hpp"
#include "clmx/host/ops_basic.hpp"
#include "launch.hpp"
#include "ops_basic_tuning.hpp"

namespace clmx {
namespace {

constexpr std::int64_t first_run = 64;

// KIND of cl/sort.cl.
int kind_of(DType dtype) {
  return is_float(dtype) ? 0 : dtype == DType::u32 ? 1 : 2;
}

struct Sorted {
  Array keys, order;
};

Sorted room_for(const Array& x, const Stream& stream) {
  return {Array::empty(x.shape(), DType::i32, stream), Array::empty(x.shape(), DType::u32, stream)};
}

Kernel sort_kernel(const Stream& stream, const char* entry, DType dtype) {
  const Constants constants{
      {"X", dtype}, {"KIND", kind_of(dtype)}, {"ELEMENT", 8 * size_of(dtype)}, {"RUN", first_run}};
  return stream.device().kernel({kernels(), "sort.cl", entry, constants});
}

void check_x(const Array& x, const char* op) {
  require_rank_at_least(x, 1, op, "x");
  require(x.shape(-1) <= std::numeric_limits<std::int32_t>::max(), op,
          "the last axis has more than 2^31 - 1 elements: ", x.shape(-1));
}

/// x is not empty.
Array sorted_order(const Array& x, const Stream& stream) {
  const std::int64_t n = x.size(), width = x.shape(-1);
  const ShareTuning tuning = choose_elementwise(stream.device().info(), n);
  const Grid grid = share_grid(tuning, n);
  Sorted from = room_for(x, stream);
  launch(stream, sort_kernel(stream, "sort_runs", x.dtype()), grid, x, from.keys, from.order, n,
         width, tuning.per_item);
  if (width <= first_run) return from.order;
  Sorted to = room_for(x, stream);
  const Kernel merge = sort_kernel(stream, "merge_runs", x.dtype());
  for (std::int64_t run = first_run; run < width; run *= 2) {
    launch(stream, merge, grid, from.keys, from.order, to.keys, to.order, n, width, run,
           tuning.per_item);
    std::swap(from, to);
  }
  return from.order;
}

}  // namespace

Array argsort(const Array& x, StreamOrDevice s) {
  check_x(x, "argsort");
  const Stream stream = s.resolve();
  const Array out =
      x.size() == 0 ? Array::empty(x.shape(), DType::u32, stream) : sorted_order(x, stream);
  return tapped("argsort", {x}, NoOptions{}, out);
}

TopK topk(const Array& x, std::int64_t k, StreamOrDevice s) {
  check_x(x, "topk");
  require(0 <= k && k <= x.shape(-1), "topk", "k is ", k, ", the last axis of x has ", x.shape(-1),
          " elements");
  const Stream stream = s.resolve();
  const Shape shape = x.shape().with(-1, k);
  const Array values = Array::empty(shape, x.dtype(), stream);
  const Array indices = Array::empty(shape, DType::u32, stream);
  if (values.size() > 0) {
    const std::int64_t n = values.size();
    const ShareTuning tuning = choose_elementwise(stream.device().info(), n);
    launch(stream, sort_kernel(stream, "take_last", x.dtype()), share_grid(tuning, n), x,
           sorted_order(x, stream), values, indices, n, x.shape(-1), k, tuning.per_item);
  }
  return {tapped("topk", {x}, TopKOptions{k}, values), indices};
}

}  // namespace clmx
