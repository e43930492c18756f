#include <utility>

#include "checks.hpp"
#include "clmx/host/ops_products.hpp"
#include "launch.hpp"
#include "matrix_pairs.hpp"
#include "quantized_checks.hpp"
#include "quantized_product.hpp"

namespace clmx {
namespace {

constexpr const char* op = "gather_qmm";

void show(const Array& x, const QuantizedWeight& w, const GatherIndices& at,
          const QmmOptions& options, const Array& out) {
  if (!current_tap()) return;
  std::vector<Array> inputs = tapped_inputs(x, w, options);
  for (const std::optional<Array>& side : {at.lhs, at.rhs})
    if (side) inputs.push_back(*side);
  const GatherQmmOptions seen{tapped_options(w, options), at.lhs.has_value(), at.rhs.has_value()};
  current_tap()->op(op, std::any(seen), inputs, out);
}

Array run(const Array& x, const QuantizedWeight& w, const GatherIndices& at,
          const QmmOptions& options, const StreamOrDevice& s) {
  check_product(x, w, options, op);
  require_rank_at_least(x, 2, op, "x");
  const GatherSide of_x{at.lhs, x.shape().slice(0, x.rank() - 2), "lhs indices"};
  const GatherSide of_w{at.rhs, w.batch(), "rhs indices"};
  check_indices(of_x, op);
  check_indices(of_w, op);
  const Shape chosen = broadcast(of_x.shape(), of_w.shape(), op);
  const std::int64_t rows = x.shape(-2);
  const Shape shape = joined(chosen, {rows, result_columns(w, options)});

  const Stream stream = s.resolve();
  Product p = product_of(x, w, options, stream, op);
  if (shape.elements() > 0)
    make_batch(p, chosen.elements(), rows, gathered_pairs(of_x, of_w, chosen, stream, op));
  Array out = shape.elements() > 0 ? multiply(p, stream).reshape(shape)
                                   : Array::empty(shape, p.result, stream);
  show(x, w, at, options, out);
  return out;
}

}  // namespace

Array gather_qmm(const Array& x, const QuantizedWeight& w, const GatherIndices& at,
                 const QmmOptions& options, StreamOrDevice s) {
  return at.lhs || at.rhs ? run(x, w, at, options, s) : quantized_matmul(x, w, options, s);
}

// MLX's own signature. NOLINTNEXTLINE(readability-function-size)
Array gather_qmm(const Array& x, const Array& w, const Array& scales,
                 const std::optional<Array>& biases, const std::optional<Array>& lhs_indices,
                 const std::optional<Array>& rhs_indices, bool transpose,
                 std::optional<int> group_size, std::optional<int> bits, const ModeOrName& mode,
                 bool sorted_indices, const std::optional<Array>& global_scale, StreamOrDevice s) {
  const QuantizedWeight weight =
      loose_weight(w, scales, biases, {mode.resolve(op), group_size, bits}, global_scale, op);
  const QmmOptions options{.transpose = transpose};
  if (!lhs_indices && !rhs_indices)
    return quantized_matmul(x, w, scales, biases, transpose, group_size, bits, mode, global_scale,
                            s);
  return run(x, weight, {lhs_indices, rhs_indices, sorted_indices}, options, s);
}

}  // namespace clmx
