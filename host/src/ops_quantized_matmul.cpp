#include <limits>
#include <utility>

#include "checks.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "launch.hpp"
#include "probe.hpp"
#include "quantized_checks.hpp"
#include "quantized_weight_state.hpp"
#include "tuning_quantized.hpp"

namespace clmx {
namespace {

constexpr const char* op = "quantized_matmul";

/// A checked product: x [m, k] float, the result's dtypes.
struct Product {
  Array x;
  const QuantizedWeight& w;
  std::optional<Array> bias;
  DType result;
  ProductShape shape;
  bool keeps_weight;  ///< whether the weight outlives the call, so that preparing it pays
};

Constants format_constants(const Product& p) {
  const bool affine = p.w.biases().has_value();
  return {{"X", p.x.dtype()},
          {"S", p.w.scales().dtype()},
          {"B", affine ? p.w.biases()->dtype() : p.w.scales().dtype()},
          {"AFFINE", affine ? 1 : 0},
          {"BITS", p.w.params().bit_count()},
          {"GROUP", p.w.params().group()},
          {"HAS_BIAS", p.bias ? 1 : 0},
          {"BIAS", p.bias ? p.bias->dtype() : p.x.dtype()},
          {"Y", p.result}};
}

Constants prepared_constants(const Product& p, const ProductTuning& tuning, const Device& device) {
  Constants constants = format_constants(p);
  constants.emplace_back("ROWS", tuning.rows);
  constants.emplace_back("PREFETCH", can_prefetch(device) ? tuning.prefetch : 0);
  const bool permutes = p.w.params().mode == QuantizationMode::mxfp4 && can_permute(device);
  constants.emplace_back("PERMUTE", permutes ? 1 : 0);
  return constants;
}

std::int32_t int_of(std::int64_t value) {
  return static_cast<std::int32_t>(value);
}

void run_plain(const Product& p, const ProductTuning& tuning, const Array& out,
               const Stream& stream) {
  const Kernel kernel =
      stream.device().kernel({kernels(), "qmm_plain.cl", "qmm_plain", format_constants(p)});
  Grid grid = Grid::linear(static_cast<std::size_t>(p.shape.n),
                           static_cast<std::size_t>(tuning.work_items));
  grid.global[1] = static_cast<std::size_t>(p.shape.m);
  launch(stream, kernel, grid, p.x, p.w.packed(), p.w.scales(),
         p.w.biases() ? *p.w.biases() : p.w.scales(), p.bias ? *p.bias : p.x, out,
         int_of(p.shape.n), int_of(p.shape.k));
}

void run_vector(const Product& p, const ProductTuning& tuning, const Array& out,
                const Stream& stream) {
  const PreparedWeight w = p.w.state()->prepared.get(p.w, tuning.rows, stream);
  const Kernel kernel = stream.device().kernel(
      {kernels(), "qmv.cl", "qmv", prepared_constants(p, tuning, stream.device())});
  const std::int64_t groups = p.shape.k / p.w.params().group();
  const Array scratch = Array::empty(
      {p.shape.m, tuning.work_groups, p.shape.k + (groups + 7) / 8 * 8}, DType::f32, stream);
  const Grid grid = Grid::groups(static_cast<std::size_t>(tuning.work_groups),
                                 static_cast<std::size_t>(p.shape.m));
  launch(stream, kernel, grid, p.x, w.words, w.scales, w.biases ? *w.biases : w.scales,
         p.bias ? *p.bias : p.x, scratch, out, int_of(p.shape.n), int_of(p.shape.k));
}

void run_tile(const Product& p, const ProductTuning& tuning, const Array& out,
              const Stream& stream) {
  constexpr std::int64_t block = 256;  // k that one work-item of pack_x packs
  const PreparedWeight w = p.w.state()->prepared.get(p.w, tuning.rows, stream);
  const Constants constants = prepared_constants(p, tuning, stream.device());
  const Kernel pack = stream.device().kernel({kernels(), "qmm.cl", "pack_x", constants});
  const Kernel multiply = stream.device().kernel({kernels(), "qmm.cl", "qmm", constants});
  const std::int64_t tiles = (p.shape.m + tile_rows - 1) / tile_rows;
  const Array packed = Array::empty({tiles, p.shape.k, tile_rows}, DType::f32, stream);
  const Array sums =
      Array::empty({tiles, p.shape.k / p.w.params().group(), tile_rows}, DType::f32, stream);
  const Grid pieces = Grid::groups(static_cast<std::size_t>(tiles),
                                   static_cast<std::size_t>((p.shape.k + block - 1) / block));
  launch(stream, pack, pieces, p.x, packed, sums, int_of(p.shape.m), int_of(p.shape.k));
  const Grid grid =
      Grid::groups(static_cast<std::size_t>(w.words.shape(0)),
                   static_cast<std::size_t>((tiles + tuning.tiles - 1) / tuning.tiles));
  launch(stream, multiply, grid, packed, sums, w.words, w.scales, w.biases ? *w.biases : w.scales,
         p.bias ? *p.bias : packed, out, int_of(p.shape.n), int_of(p.shape.k), int_of(p.shape.m),
         tuning.tiles);
}

/// K = 0: zeros, plus the bias.
Array empty_sums(const Product& p, const Stream& stream) {
  const auto count = static_cast<std::size_t>(p.shape.m * p.shape.n);
  const Array zeros = Array::from(std::vector<float>(count), {p.shape.m, p.shape.n});
  return cast(p.bias ? add(zeros, *p.bias, stream) : zeros, p.result, stream);
}

Array run(const Product& p, const Stream& stream) {
  if (p.shape.m == 0 || p.shape.n == 0)
    return Array::empty({p.shape.m, p.shape.n}, p.result, stream);
  if (p.shape.k == 0) return empty_sums(p, stream);
  const DeviceInfo& device = stream.device().info();
  const ProductTuning tuning =
      p.keeps_weight ? choose_product(device, p.shape) : choose_plain(device);
  Array out = Array::empty({p.shape.m, p.shape.n}, p.result, stream);
  switch (tuning.kernel) {
    case ProductKernel::plain:
      run_plain(p, tuning, out, stream);
      break;
    case ProductKernel::vector:
      run_vector(p, tuning, out, stream);
      break;
    case ProductKernel::tile:
      run_tile(p, tuning, out, stream);
      break;
  }
  return out;
}

void check_product(const Array& x, const QuantizedWeight& w, const QmmOptions& options) {
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
