#include "quantized_product.hpp"

#include "clmx/host/self_check.hpp"
#include "launch.hpp"

namespace clmx {
namespace {

Constants prepared_constants(const Product& p, const ProductTuning& tuning, const Device& device) {
  Constants constants = format_constants(p);
  constants.emplace_back("ROWS", tuning.rows);
  constants.emplace_back("PREFETCH", has_proved(device, "prefetch") ? tuning.prefetch : 0);
  const bool permutes =
      p.w.params().mode == QuantizationMode::mxfp4 && has_proved(device, "permute");
  constants.emplace_back("PERMUTE", permutes ? 1 : 0);
  return constants;
}

void run_plain(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
               const Array& out, const Stream& stream) {
  const Kernel kernel =
      stream.device().kernel({kernels(), "qmm_plain.cl", "qmm_plain", format_constants(p)});
  Grid grid = Grid::linear(static_cast<std::size_t>(rows.count()),
                           static_cast<std::size_t>(tuning.work_items));
  grid.global[1] = static_cast<std::size_t>(p.shape.m);
  launch(stream, kernel, grid, p.x, rows.words, rows.scales, rows.biases.value_or(rows.scales),
         bias_of(p, rows), columns_of(out, rows, stream), int_of(rows.count()), int_of(p.shape.n),
         int_of(p.shape.k));
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

}  // namespace

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
  }
}

}  // namespace clmx
