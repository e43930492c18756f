#include <limits>
#include <utility>

#include "checks.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "launch.hpp"
#include "loop_limit.hpp"
#include "quantized_checks.hpp"
#include "quantized_product.hpp"

namespace clmx {
namespace {

constexpr const char* op = "quantized_matmul";

/// K = 0: zeros, plus the bias.
Array empty_sums(const Product& p, const Stream& stream) {
  const auto count = static_cast<std::size_t>(p.shape.m * p.shape.n);
  const Array zeros = Array::from(std::vector<float>(count), {p.shape.m, p.shape.n});
  return cast(p.bias ? add(zeros, *p.bias, stream) : zeros, p.result, stream);
}

/// Over the codes, the words that hold them and the groups, each with a last look at its end.
void check_turns(const Product& p, const Device& device) {
  constexpr std::int64_t k_per_block = 256;
  const std::int64_t words = p.w.packed().shape(-1), groups = p.shape.k / p.w.params().group();
  require_turns(device,
                turns_of_sum(p.shape.k + 2 * words + 3 * groups, p.shape.k / k_per_block + 1), op,
                "an inner size", p.shape.k);
}

Array run(const Product& p, const Stream& stream) {
  if (p.shape.m == 0 || p.shape.n == 0)
    return Array::empty({p.shape.m, p.shape.n}, p.result, stream);
  if (p.shape.k == 0) return empty_sums(p, stream);
  check_turns(p, stream.device());
  const DeviceInfo& device = stream.device().info();
  const ProductTuning tuning = p.keeps_weight && has_prepared_kernels(p.w.params())
                                   ? choose_product(device, p.shape)
                                   : choose_plain(device);
  Array out = Array::empty({p.shape.m, p.shape.n}, p.result, stream);
  for (const WeightRows& part : weight_rows(p.w, tuning.rows, stream))
    run_product(p, tuning, part, out, stream);
  return out;
}

void check_product(const Array& x, const QuantizedWeight& w, const QmmOptions& options) {
  require_matrix(w, op);
  require(!w.global_scale(), op, "weights with a global_scale are not supported");
  require(options.transpose, op, "the product without transpose is not supported");
  require_rank_at_least(x, 1, op, "x");
  require(x.shape(-1) == w.in_features(), op, "x has ", x.shape(-1),
          " columns, the weight expects ", w.in_features());
  require(w.params().mode == QuantizationMode::affine || is_float(x.dtype()), op, "in mode ",
          w.params().mode, " x must be a float array, not ", x.dtype());
  require(!options.dtype || is_float(*options.dtype), op, "the result must be a float array, not ",
          options.dtype.value_or(DType::f32));
  const std::int64_t rows = x.shape().elements(0, x.rank() - 1);
  require(rows <= std::numeric_limits<std::int32_t>::max() - 8, op, "x has too many rows: ", rows);
  if (!options.bias) return;
  require_float(*options.bias, op, "bias");
  require(options.bias->shape() == Shape{w.out_features()}, op, "bias must have shape [",
          w.out_features(), "], not ", options.bias->shape());
}

DType promoted(const Array& x, const QuantizedWeight& w) {
  if (!w.biases()) return x.dtype();
  return promote(promote(x.dtype(), w.scales().dtype()), w.biases()->dtype());
}

Array shown(const Array& x, const QuantizedWeight& w, const QmmOptions& options, const Array& out) {
  if (!current_tap()) return out;
  const QuantizedMatmulOptions seen{w.params(), options.bias.has_value(), options.dtype};
  std::vector<Array> inputs{x, w.packed(), w.scales()};
  if (w.biases()) inputs.push_back(*w.biases());
  if (options.bias) inputs.push_back(*options.bias);
  current_tap()->op(op, std::any(seen), inputs, out);
  return out;
}

/// MLX's order: first the parts of the weight, then the inner dimension.
void check_loose(const Array& x, const Array& w, const Array& scales,
                 const std::optional<Array>& biases, const QuantizationParams& params) {
  check_quantized(w, scales, biases, params, BiasColumns::one_per_group, op);
  require(w.rank() == 2, op, "weights with batch axes are not supported: w has shape ", w.shape());
  require_rank_at_least(x, 1, op, "x");
}

Array multiply_checked(const Array& x, const QuantizedWeight& w, const QmmOptions& options,
                       bool keeps_weight, const StreamOrDevice& s) {
  check_product(x, w, options);
  const Stream stream = s.resolve();
  const DType natural = promoted(x, w);
  const DType result =
      options.dtype.value_or(options.bias ? promote(natural, options.bias->dtype()) : natural);
  const std::int64_t m = x.shape().elements(0, x.rank() - 1);
  const ProductShape shape{m, w.out_features(), w.in_features()};
  const Array rows = is_float(x.dtype()) ? x : cast(x, natural, stream);
  const Array out = run({rows, w, options.bias, result, shape, keeps_weight}, stream);
  return shown(x, w, options, out.reshape(x.shape().with(-1, w.out_features())));
}

}  // namespace

Array quantized_matmul(const Array& x, const QuantizedWeight& w, const QmmOptions& options,
                       StreamOrDevice s) {
  return multiply_checked(x, w, options, true, s);
}

// MLX's own signature. NOLINTNEXTLINE(readability-function-size)
Array quantized_matmul(const Array& x, const Array& w, const Array& scales,
                       const std::optional<Array>& biases, bool transpose,
                       const QuantizationParams& params, StreamOrDevice s) {
  check_loose(x, w, scales, biases, params);
  const QuantizedWeight weight(w, scales, biases, params);
  return multiply_checked(x, weight, {.transpose = transpose}, false, s);
}

}  // namespace clmx
