#include "global_scale.hpp"
#include "launch.hpp"
#include "quantized_product.hpp"

namespace clmx {
namespace {

Constants plain_constants(const Product& p) {
  Constants constants = format_constants(p);
  constants.emplace_back("PAIRS", p.pairs.has_value());
  constants.emplace_back("GLOBAL", p.w.global_scale().has_value());
  return constants;
}

/// The factors of the scales, or an unused array.
Array factors_of(const Product& p) {
  return p.w.global_scale() ? scale_factors(p.w) : p.x;
}

}  // namespace

void run_plain(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
               const Array& out, const Stream& stream) {
  const Kernel kernel =
      stream.device().kernel({kernels(), "qmm_plain.cl", "qmm_plain", plain_constants(p)});
  const std::int64_t columns = p.pairs ? p.shape.n : rows.count();
  Grid grid =
      Grid::linear(static_cast<std::size_t>(columns), static_cast<std::size_t>(tuning.work_items));
  grid.global[1] = static_cast<std::size_t>(p.shape.m);
  grid.global[2] = static_cast<std::size_t>(p.batch);
  launch(stream, kernel, grid, p.x, rows.words, rows.scales, rows.biases.value_or(rows.scales),
         factors_of(p), p.pairs.value_or(p.x), p.bias.value_or(p.x), out, int_of(rows.begin),
         int_of(rows.count()), int_of(p.shape.n), int_of(p.shape.k));
}

void run_columns(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
                 const Array& out, const Stream& stream) {
  Constants constants = plain_constants(p);
  constants.emplace_back("TILE", tuning.tokens);
  const Kernel kernel =
      stream.device().kernel({kernels(), "qmm_columns.cl", "qmm_columns", constants});
  Grid grid = Grid::linear(static_cast<std::size_t>(p.shape.n),
                           static_cast<std::size_t>(tuning.work_items));
  grid.global[1] = static_cast<std::size_t>((p.shape.m + tuning.tokens - 1) / tuning.tokens);
  grid.global[2] = static_cast<std::size_t>(p.batch);
  launch(stream, kernel, grid, p.x, rows.words, rows.scales, rows.biases.value_or(rows.scales),
         factors_of(p), p.pairs.value_or(p.x), p.bias.value_or(p.x), out, int_of(rows.begin),
         int_of(rows.count()), int_of(p.shape.n), int_of(p.shape.k), int_of(p.shape.m));
}

}  // namespace clmx
