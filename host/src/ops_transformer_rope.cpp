#include <cmath>
#include <limits>

#include "checks.hpp"
#include "clmx/host/ops_transformer.hpp"
#include "launch.hpp"
#include "ops_transformer_tuning.hpp"

namespace clmx {
namespace {

void check_options(const RopeOptions& o) {
  require(o.dims > 0 && o.dims % 2 == 0, "rope", "dims must be even and positive, not ", o.dims);
  require(o.base.has_value() != o.periods.has_value(), "rope",
          "exactly one of base and periods must be given");
  require(!o.base || (std::isfinite(*o.base) && *o.base > 0), "rope",
          "base must be positive and finite, not ", o.base.value_or(0));
  require(std::isfinite(o.scale) && o.scale != 0, "rope", "scale must be finite and not zero, not ",
          o.scale);
  require(!o.periods || o.periods->size() == static_cast<std::size_t>(o.dims / 2), "rope",
          "periods must have ", o.dims / 2, " values");
}

/// theta_i of the options.
std::vector<double> frequencies(const RopeOptions& o) {
  std::vector<double> theta(static_cast<std::size_t>(o.dims / 2));
  for (std::size_t i = 0; i < theta.size(); i++)
    theta[i] = o.periods ? 1.0 / (*o.periods)[i]
                         : std::pow(*o.base, -2.0 * static_cast<double>(i) / o.dims);
  return theta;
}

/// Rows for `positions` positions from each of `firsts` on.
RopeTable table_of(const RopeOptions& o, const std::vector<std::int64_t>& firsts,
                   std::int64_t positions) {
  const std::vector<double> theta = frequencies(o);
  std::vector<float> cosines, sines;
  for (const std::int64_t first : firsts) {
    require(first <= std::numeric_limits<std::int64_t>::max() - positions, "rope", positions,
            " positions from ", first, " on are more than 64 bits count");
    for (std::int64_t p = 0; p < positions; p++) {
      const double position = static_cast<double>(first + p) * o.scale;
      for (const double t : theta) {
        cosines.push_back(static_cast<float>(std::cos(position * t)));
        sines.push_back(static_cast<float>(std::sin(position * t)));
      }
    }
  }
  const Shape shape{static_cast<std::int64_t>(firsts.size()) * positions, o.dims / 2};
  return {Array::wrap(HostBytes::own(std::move(cosines)), shape, DType::f32),
          Array::wrap(HostBytes::own(std::move(sines)), shape, DType::f32), o.dims, o.traditional};
}

std::int64_t time_of(const Array& x, AttentionLayout layout) {
  return x.shape(layout == AttentionLayout::bhtd ? -2 : -3);
}

void check_x(const Array& x, int dims) {
  require_float(x, "rope", "x");
  require_rank_at_least(x, 3, "rope", "x");
  require(dims <= x.shape(-1), "rope", "dims is ", dims, ", the last axis of x has only ",
          x.shape(-1), " elements");
}

/// The positions of the first rows: one, or one for each entry of the first axis.
std::vector<std::int64_t> first_positions(const Array& x, const RopeOptions& o) {
  if (!o.offsets) return {o.offset};
  require(o.offset == 0, "rope", "both offset and offsets are given");
  const auto given = static_cast<std::int64_t>(o.offsets->size());
  require(given == 1 || given == x.shape(0), "rope", "x has ", x.shape(0),
          " entries along its first axis, there are ", given, " offsets");
  return *o.offsets;
}

/// `rows_of_batch`: rows of the table for each entry of x's first axis; 0: all have the same.
Array rotate(const Array& x, const RopeTable& table, std::int64_t offset,
             std::int64_t rows_of_batch, AttentionLayout layout, const Stream& stream) {
  Array out = Array::empty(x.shape(), x.dtype(), stream);
  if (out.size() == 0) return out;
  const std::int64_t dim = x.shape(-1), rows = x.size() / dim;
  const HeadTuning tuning = choose_heads(stream.device().info(), rows, dim);
  const Constants constants{
      {"X", x.dtype()}, {"TRADITIONAL", table.traditional}, {"WIDE", tuning.share.wide}};
  const Kernel kernel = stream.device().kernel({kernels(), "rope.cl", "rope", constants});
  const std::int64_t heads_inside = layout == AttentionLayout::bhtd ? 1 : x.shape(-2);
  launch(stream, kernel, head_grid(tuning, rows), x, table.cos, table.sin, out, rows, dim,
         std::int64_t{table.dims}, offset, time_of(x, layout), heads_inside, rows / x.shape(0),
         rows_of_batch, tuning.share.per_item);
  return out;
}

}  // namespace

RopeTable make_rope_table(const RopeOptions& options, std::int64_t positions) {
  check_options(options);
  require(positions >= 0, "rope", "the number of positions must not be negative: ", positions);
  require(!options.offsets, "rope", "a table serves one offset, not one per batch entry");
  return table_of(options, {options.offset}, positions);
}

Array rope(const Array& x, const RopeOptions& options, StreamOrDevice s) {
  check_options(options);
  check_x(x, options.dims);
  const std::int64_t time = time_of(x, options.layout);
  const std::vector<std::int64_t> firsts = first_positions(x, options);
  const RopeTable table = table_of(options, firsts, time);
  return tapped("rope", {x}, options,
                rotate(x, table, 0, firsts.size() > 1 ? time : 0, options.layout, s.resolve()));
}

Array rope(const Array& x, const RopeTable& table, std::int64_t offset, AttentionLayout layout,
           StreamOrDevice s) {
  check_x(x, table.dims);
  const std::int64_t time = time_of(x, layout), positions = table.cos.shape(0);
  require(0 <= offset && offset <= positions - time, "rope", time, " positions from ", offset,
          " on are not in a table of ", positions);
  return tapped("rope_table", {x, table.cos, table.sin},
                RopeTableOptions{table.dims, table.traditional, offset, layout},
                rotate(x, table, offset, 0, layout, s.resolve()));
}

}  // namespace clmx
