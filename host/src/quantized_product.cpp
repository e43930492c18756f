#include "quantized_product.hpp"

#include <limits>
#include <utility>

#include "checks.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "clmx/host/self_check.hpp"
#include "launch.hpp"
#include "loop_limit.hpp"
#include "row_parts.hpp"

namespace clmx {
namespace {

constexpr std::int64_t k_per_block = 256;

Constants prepared_constants(const Product& p, const ProductTuning& tuning, const Device& device) {
  Constants constants = format_constants(p);
  constants.emplace_back("ROWS", tuning.rows);
  constants.emplace_back("PREFETCH", has_proved(device, "prefetch") ? tuning.prefetch : 0);
  const bool permutes =
      p.w.params().mode == QuantizationMode::mxfp4 && has_proved(device, "permute");
  constants.emplace_back("PERMUTE", permutes ? 1 : 0);
  return constants;
}

void run_vector(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
                const Array& out, const Stream& stream) {
  const Kernel kernel = stream.device().kernel(
      {kernels(), "qmv.cl", "qmv", prepared_constants(p, tuning, stream.device())});
  const std::int64_t groups = p.shape.k / p.w.params().group();
  const Array scratch = Array::empty(
      {p.shape.m, tuning.work_groups, p.shape.k + (groups + 7) / 8 * 8}, DType::f32, stream);
  const Grid grid = Grid::groups(static_cast<std::size_t>(tuning.work_groups),
                                 static_cast<std::size_t>(p.shape.m));
  launch(stream, kernel, grid, p.x, rows.words, rows.scales, rows.biases.value_or(rows.scales),
         bias_of(p, rows), scratch, columns_of(out, rows, stream), int_of(rows.count()),
         int_of(p.shape.n), int_of(p.shape.k));
}

void run_tile(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
              const Array& out, const Stream& stream) {
  constexpr std::int64_t block = 256;  // k that one work-item of pack_x packs
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
      Grid::groups(static_cast<std::size_t>(rows.words.shape(0)),
                   static_cast<std::size_t>((tiles + tuning.tiles - 1) / tuning.tiles));
  launch(stream, multiply, grid, packed, sums, rows.words, rows.scales,
         rows.biases.value_or(rows.scales), bias_of(p, rows), columns_of(out, rows, stream),
         int_of(rows.count()), int_of(p.shape.n), int_of(p.shape.k), int_of(p.shape.m),
         tuning.tiles);
}

/// K = 0: zeros, plus the bias.
Array empty_sums(const Product& p, const Shape& shape, const Stream& stream) {
  const Array zeros =
      Array::from(std::vector<float>(static_cast<std::size_t>(shape.elements())), shape);
  return cast(p.bias ? add(zeros, *p.bias, stream) : zeros, p.result, stream);
}

void check_turns(const QuantizedWeight& w, const QmmOptions& options, const Device& device,
                 std::string_view op) {
  const std::int64_t k = inner_size(w, options);
  if (options.transpose)
    return require_product_turns(device, k, w.packed().shape(-1), k / w.params().group(), op);
  require_turns(device, turns_of_sum(k, k / k_per_block + 1), op, "an inner size", k);
}

/// Of a weight that is kept, by its transpose.
ProductTuning choose_kept(const QuantizedWeight& w, const ProductShape& shape,
                          const DeviceInfo& device) {
  const bool prepares = !w.global_scale() && has_prepared_kernels(w.params());
  return prepares ? choose_product(device, shape) : choose_plain(device);
}

ProductTuning choose(const Product& p, const DeviceInfo& device) {
  if (!p.transpose) return choose_columns(device, p.shape.m);
  return p.keeps_weight && !p.pairs ? choose_kept(p.w, p.shape, device) : choose_plain(device);
}

DType promoted(const Array& x, const QuantizedWeight& w) {
  if (!w.biases()) return x.dtype();
  return promote(promote(x.dtype(), w.scales().dtype()), w.biases()->dtype());
}

void check_bias(const Array& bias, std::int64_t columns, std::string_view op) {
  require_float(bias, op, "bias");
  require(bias.shape() == Shape{columns}, op, "bias must have shape [", columns, "], not ",
          bias.shape());
}

}  // namespace

// Over the codes, the words that hold them and the groups, each with a last look at its end.
void require_product_turns(const Device& device, std::int64_t k, std::int64_t words,
                           std::int64_t groups, std::string_view op) {
  const std::int64_t turns = k + 2 * words + 3 * groups;
  require_turns(device, turns_of_sum(turns, k / k_per_block + 1), op, "an inner size", k);
}

std::int64_t inner_size(const QuantizedWeight& w, const QmmOptions& options) {
  return options.transpose ? w.in_features() : w.out_features();
}

std::int64_t result_columns(const QuantizedWeight& w, const QmmOptions& options) {
  return options.transpose ? w.out_features() : w.in_features();
}

void check_product(const Array& x, const QuantizedWeight& w, const QmmOptions& options,
                   std::string_view op) {
  require_rank_at_least(x, 1, op, "x");
  require(x.shape(-1) == inner_size(w, options), op, "x has ", x.shape(-1),
          " columns, the weight expects ", inner_size(w, options));
  require(w.params().mode == QuantizationMode::affine || is_float(x.dtype()), op, "in mode ",
          w.params().mode, " x must be a float array, not ", x.dtype());
  require(!options.dtype || is_float(*options.dtype), op, "the result must be a float array, not ",
          options.dtype.value_or(DType::f32));
  const std::int64_t rows = x.shape().elements(0, x.rank() - 1);
  require(rows <= std::numeric_limits<std::int32_t>::max() - 8, op, "x has too many rows: ", rows);
  if (options.bias) check_bias(*options.bias, result_columns(w, options), op);
}

Product product_of(const Array& x, const QuantizedWeight& w, const QmmOptions& options,
                   const Stream& stream, std::string_view op) {
  if (x.size() > 0) check_turns(w, options, stream.device(), op);
  const DType natural = promoted(x, w);
  const DType result =
      options.dtype.value_or(options.bias ? promote(natural, options.bias->dtype()) : natural);
  const std::int64_t rows = x.shape().elements(0, x.rank() - 1);
  return {.x = is_float(x.dtype()) ? x : cast(x, natural, stream),
          .w = w,
          .bias = options.bias,
          .result = result,
          .shape = {rows, result_columns(w, options), inner_size(w, options)},
          .transpose = options.transpose};
}

void make_batch(Product& p, std::int64_t batch, std::int64_t rows, Array pairs) {
  p.batch = batch;
  p.shape.m = rows;
  p.pairs = std::move(pairs);
}

Array multiply(const Product& p, const Stream& stream) {
  const Shape shape{p.batch * p.shape.m, p.shape.n};
  if (shape.elements() == 0) return Array::empty(shape, p.result, stream);
  if (p.shape.k == 0) return empty_sums(p, shape, stream);
  const ProductTuning tuning = choose(p, stream.device().info());
  const std::vector<WeightRows> parts =
      p.transpose ? weight_rows(p.w, tuning.rows, stream) : stored_rows(p.w, p.shape.k, stream);
  Array out = Array::empty(shape, p.result, stream);
  for (const WeightRows& part : parts) run_product(p, tuning, part, out, stream);
  return out;
}

std::vector<Array> tapped_inputs(const Array& x, const QuantizedWeight& w,
                                 const QmmOptions& options) {
  std::vector<Array> inputs{x, w.packed(), w.scales()};
  for (const std::optional<Array>& more : {w.biases(), w.global_scale(), options.bias})
    if (more) inputs.push_back(*more);
  return inputs;
}

QuantizedMatmulOptions tapped_options(const QuantizedWeight& w, const QmmOptions& options) {
  return {w.params(), options.bias.has_value(), options.dtype, options.transpose,
          w.global_scale().has_value()};
}

Constants format_constants(const Product& p) {
  const bool affine = p.w.biases().has_value();
  return {{"X", p.x.dtype()},
          {"S", p.w.scales().dtype()},
          {"B", affine ? p.w.biases()->dtype() : p.w.scales().dtype()},
          {"MODE", static_cast<int>(p.w.params().mode)},
          {"BITS", p.w.params().bit_count()},
          {"GROUP", p.w.params().group()},
          {"HAS_BIAS", p.bias ? 1 : 0},
          {"BIAS", p.bias ? p.bias->dtype() : p.x.dtype()},
          {"Y", p.result}};
}

Array bias_of(const Product& p, const WeightRows& rows) {
  return p.bias ? p.bias->rows(rows.begin, rows.end) : p.x;
}

BufferArgument columns_of(const Array& out, const WeightRows& rows, const Stream& stream) {
  BufferArgument columns = out.on(stream);
  columns.offset += static_cast<std::uint64_t>(rows.begin);
  return columns;
}

void run_product(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
                 const Array& out, const Stream& stream) {
  switch (tuning.kernel) {
    case ProductKernel::plain:
      return run_plain(p, tuning, rows, out, stream);
    case ProductKernel::vector:
      return run_vector(p, tuning, rows, out, stream);
    case ProductKernel::tile:
      return run_tile(p, tuning, rows, out, stream);
    case ProductKernel::lanes:
      return run_lanes(p, tuning, rows, out, stream);
    case ProductKernel::columns:
      return run_columns(p, tuning, rows, out, stream);
  }
}

void copy_array(const Array& array, StreamOrDevice s) {
  if (array.size() == 0) return;
  const Device device = s.resolve().device();
  if (array.rank() == 0) return static_cast<void>(array.to(device));
  for (const RowRange& part : row_parts(array, device))
    static_cast<void>(array.rows(part.begin, part.end).to(device));
}

void copy_table(const QuantizedWeight& w, StreamOrDevice s) {
  const Stream stream = s.resolve();
  for (const WeightRows& part : stored_rows(w, 1, stream)) {
    copy_array(part.words, stream);
    copy_array(part.scales, stream);
    if (part.biases) copy_array(*part.biases, stream);
  }
  if (w.global_scale()) copy_array(*w.global_scale(), stream);
}

void copy_weight(const QuantizedWeight& w, StreamOrDevice s) {
  const Stream stream = s.resolve();
  const ProductShape shape{1, w.out_features(), w.in_features()};
  const bool one = w.batch().rank() == 0 && w.packed().size() > 0;
  const int rows = one ? choose_kept(w, shape, stream.device().info()).rows : 0;
  if (rows == 0) return copy_table(w, stream);
  static_cast<void>(weight_rows(w, rows, stream, true));
}

}  // namespace clmx
