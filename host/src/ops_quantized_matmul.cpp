#include <utility>

#include "checks.hpp"
#include "clmx/host/ops_products.hpp"
#include "launch.hpp"
#include "matrix_pairs.hpp"
#include "quantized_checks.hpp"
#include "quantized_product.hpp"

namespace clmx {
namespace {

constexpr const char* op = "quantized_matmul";

/// The batch axes of the result, of a matrix or stack x.
Shape batch_of(const Array& x, const QuantizedWeight& w) {
  const Shape of_x = x.shape().slice(0, x.rank() - 2);
  if (w.batch().rank() == 0) return of_x;
  require(x.rank() > 2, op, "a stack of weights needs batch axes in x; x has shape ", x.shape(),
          ", the weight ", w.packed().shape());
  return broadcast(of_x, w.batch(), op);
}

Array run(const Array& x, const QuantizedWeight& w, const QmmOptions& options, bool keeps_weight,
          const StreamOrDevice& s) {
  check_product(x, w, options, op);
  const std::int64_t columns = result_columns(w, options);
  const bool vector = x.rank() == 1 && w.batch().rank() == 0;
  const Shape batch = vector ? Shape{} : batch_of(x, w);
  const Shape shape = vector ? Shape{columns} : joined(batch, {x.shape(-2), columns});

  const Stream stream = s.resolve();
  Product p = product_of(x, w, options, stream, op);
  p.keeps_weight = keeps_weight;
  if (w.batch().elements() != 1)
    make_batch(p, batch.elements(), x.shape(-2),
               broadcast_pairs(x.shape().slice(0, x.rank() - 2), w.batch(), batch));
  Array out = multiply(p, stream).reshape(shape);
  if (Tap* tap = current_tap())
    tap->op(op, std::any(tapped_options(w, options)), tapped_inputs(x, w, options), out);
  return out;
}

}  // namespace

Array quantized_matmul(const Array& x, const QuantizedWeight& w, const QmmOptions& options,
                       StreamOrDevice s) {
  return run(x, w, options, true, s);
}

// MLX's own signature. NOLINTNEXTLINE(readability-function-size)
Array quantized_matmul(const Array& x, const Array& w, const Array& scales,
                       const std::optional<Array>& biases, bool transpose,
                       std::optional<int> group_size, std::optional<int> bits,
                       const ModeOrName& mode, const std::optional<Array>& global_scale,
                       StreamOrDevice s) {
  const QuantizedWeight weight =
      loose_weight(w, scales, biases, {mode.resolve(op), group_size, bits}, global_scale, op);
  return run(x, weight, {.transpose = transpose}, false, s);
}

}  // namespace clmx
