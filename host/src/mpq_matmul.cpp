#include "checks.hpp"
#include "clmx/host/ops_basic.hpp"
#include "launch.hpp"
#include "loop_limit.hpp"
#include "mpq_sizes.hpp"
#include "quantized_product.hpp"
#include "row_parts.hpp"

namespace clmx {
namespace {

Constants constants_of(const Array& x, const MpqWeight& w, const std::optional<Array>& bias,
                       DType result) {
  return {{"X", x.dtype()},
          {"MODE", static_cast<int>(QuantizationMode::affine)},
          {"BITS", w.params.bits},
          {"GROUP", w.params.group_size},
          {"HAS_BIAS", bias ? 1 : 0},
          {"BIAS", bias ? bias->dtype() : x.dtype()},
          {"Y", result}};
}

Array run(const Array& x, const MpqWeight& w, const std::optional<Array>& bias, DType result,
          const Stream& stream) {
  const std::int64_t n = w.packed.shape(0), k = x.shape(-1);
  const Shape shape = joined(x.shape().slice(0, x.rank() - 1), {n});
  if (shape.elements() == 0) return Array::empty(shape, result, stream);
  require_product_turns(stream.device(), k, w.packed.shape(1), k / w.params.group_size,
                        "mpq_matmul");
  const Kernel kernel = stream.device().kernel(
      {kernels(), "mpq_matmul.cl", "mpq_matmul", constants_of(x, w, bias, result)});
  const auto group = static_cast<std::size_t>(choose_plain(stream.device().info()).work_items);
  Array out = Array::empty(shape, result, stream);
  for (const RowRange& part : row_parts(w.packed, stream.device())) {
    Grid grid = Grid::linear(static_cast<std::size_t>(part.count()), group);
    grid.global[1] = static_cast<std::size_t>(x.shape().elements(0, x.rank() - 1));
    launch(stream, kernel, grid, x, w.packed.rows(part.begin, part.end), w.qstatistic,
           w.qscales_zeros, w.qscales_scales, w.qzeros_zeros, w.qzeros_scales, bias.value_or(x),
           out, int_of(n), int_of(k), int_of(w.qstatistic.shape(2)), int_of(part.begin),
           int_of(part.count()));
  }
  return out;
}

}  // namespace

Array mpq_matmul(const Array& x, const MpqWeight& w, const std::optional<Array>& bias,
                 std::optional<DType> dtype, StreamOrDevice s) {
  constexpr const char* op = "mpq_matmul";
  const MpqSizes sizes = sizes_of(w, op);
  require_float(x, op, "x");
  require_rank_at_least(x, 1, op, "x");
  require(x.shape(-1) == sizes.in, op, "x has ", x.shape(-1), " columns, the weight expects ",
          sizes.in);
  if (bias) require_float(*bias, op, "bias");
  require(!bias || bias->shape() == Shape{sizes.out}, op, "bias must have shape [", sizes.out,
          "], not ", bias ? bias->shape() : Shape{});
  require(!dtype || is_float(*dtype), op, "the result must be a float array, not ",
          dtype.value_or(DType::f32));
  const DType natural = promote(x.dtype(), DType::f16);
  const DType result = dtype.value_or(bias ? promote(natural, bias->dtype()) : natural);
  const Stream stream = s.resolve();
  Array y = run(x, w, bias, result, stream);
  if (Tap* tap = current_tap()) {
    std::vector<Array> inputs{x,
                              w.packed,
                              w.qstatistic,
                              w.qscales_zeros,
                              w.qscales_scales,
                              w.qzeros_zeros,
                              w.qzeros_scales};
    if (bias) inputs.push_back(*bias);
    tap->op(op, std::any(MpqMatmulOptions{w.params, bias.has_value(), dtype}), inputs, y);
  }
  return y;
}

}  // namespace clmx
