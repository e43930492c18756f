#include <limits>

#include "checks.hpp"
#include "clmx/devices/error_word.hpp"
#include "clmx/host/ops_basic.hpp"
#include "host_indices.hpp"
#include "launch.hpp"
#include "loop_limit.hpp"
#include "ops_basic_tuning.hpp"
#include "row_parts.hpp"

namespace clmx {
namespace {

Shape gathered_shape(const Array& table, const Array& rows) {
  std::vector<std::int64_t> sizes(rows.shape().sizes().begin(), rows.shape().sizes().end());
  sizes.push_back(table.shape(1));
  return Shape(std::span<const std::int64_t>(sizes));
}

}  // namespace

Array argmax(const Array& x, StreamOrDevice s) {
  require_float(x, "argmax", "x");
  require_rank_at_least(x, 1, "argmax", "x");
  const std::int64_t width = x.shape(-1);
  const Shape shape = x.shape().slice(0, x.rank() - 1);
  require(width > 0 || shape.elements() == 0, "argmax", "the last axis of x is empty");
  require(width <= std::numeric_limits<std::int32_t>::max(), "argmax",
          "the last axis has more than 2^31 - 1 elements: ", width);
  const Stream stream = s.resolve();
  Array out = Array::empty(shape, DType::i32, stream);
  if (out.size() == 0) return out;

  const DeviceInfo& device = stream.device().info();
  const bool wide = prefers_vectors(device);
  const std::size_t group = wide ? 1 : choose_reduction_group(device, width);
  const auto shares = static_cast<std::int64_t>(wide ? 16 : group);
  require_turns(stream.device(), width / shares + 2 * shares, "argmax", "a last axis", width);
  const Constants constants{{"X", x.dtype()}, {"WIDE", wide}, {"GROUP", group}};
  const Kernel kernel = stream.device().kernel({kernels(), "argmax.cl", "argmax", constants});
  const Grid grid = Grid::groups(static_cast<std::size_t>(out.size()), 1, 1, group);
  launch(stream, kernel, grid, x, out, width);
  return tapped("argmax", {x}, NoOptions{}, out);
}

Array gather(const Array& table, const Array& rows, StreamOrDevice s) {
  require(table.rank() == 2, "gather", "the table must have 2 axes, its shape is ", table.shape());
  require_index(rows, "gather", "rows");
  const std::int64_t count = table.shape(0), width = table.shape(1);
  require(count > 0 || rows.size() == 0, "gather", "the table is empty");
  check_host_rows(rows, count, "table", "gather");
  const Stream stream = s.resolve();
  Array out = Array::empty(gathered_shape(table, rows), table.dtype(), stream);
  if (out.size() == 0) return out;

  ShareTuning tuning = choose_elementwise(stream.device().info(), width);
  const Constants constants{
      {"ELEMENT", 8 * size_of(table.dtype())}, {"ROW", rows.dtype()}, {"WIDE", tuning.wide}};
  const Kernel kernel = stream.device().kernel({kernels(), "gather.cl", "gather", constants});
  Grid grid = share_grid(tuning, width);
  grid.global[1] = static_cast<std::size_t>(rows.size());
  const bool computed = rows.home().has_value();
  const ErrorWord error = computed ? error_word(stream, "gather") : ErrorWord{};
  for (const RowRange& part : row_parts(table, stream.device()))
    launch(stream, kernel, grid, table.rows(part.begin, part.end), rows, out, count, part.begin,
           part.count(), width, tuning.per_item, error.word, error.code);
  if (computed) look_for_errors(stream);
  return tapped("gather", {table, rows}, NoOptions{}, out);
}

}  // namespace clmx
