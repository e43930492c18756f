#include "clmx/host/self_check.hpp"
#include "launch.hpp"
#include "probe_subgroup.hpp"
#include "quantized_product.hpp"

namespace clmx {
namespace {

std::size_t size_of_grid(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

/// What the kernels of a product are built with, and where they run.
struct LanesProgram {
  const Stream& stream;
  Constants constants;

  Kernel kernel(std::string_view entry) const {
    return stream.device().kernel({kernels(), "qmm_lanes.cl", entry, constants});
  }
};

/// x as the kernels read it: as it is for one row at a time, else packed with its group sums.
struct PackedRows {
  Array x, sums;
};

PackedRows pack(const Product& p, const ProductTuning& tuning, std::int64_t tiles,
                const LanesProgram& program) {
  if (tuning.tokens == 1) return {p.x, p.x};
  const std::int64_t groups = p.shape.k / p.w.params().group();
  const Stream& stream = program.stream;
  PackedRows packed{Array::empty({tiles, p.shape.k, tuning.tokens}, DType::f32, stream),
                    Array::empty({tiles, groups, tuning.tokens}, DType::f32, stream)};
  Grid grid = Grid::linear(size_of_grid(groups), static_cast<std::size_t>(tuning.work_items));
  grid.global[1] = size_of_grid(tiles);
  launch(stream, program.kernel("pack_tokens"), grid, p.x, packed.x, packed.sums, int_of(p.shape.m),
         int_of(p.shape.k));
  return packed;
}

Constants lanes_constants(const Product& p, const ProductTuning& tuning, const Device& device) {
  const bool subgroups = tuning.subgroups && has_proved(device, "subgroup");
  Constants constants = format_constants(p);
  constants.emplace_back("ROWS", tuning.rows);
  constants.emplace_back("TOKENS", tuning.tokens);
  constants.emplace_back("DEPTH", tuning.depth);
  constants.emplace_back("SUBGROUPS", subgroups ? 1 : 0);
  constants.emplace_back("REQUIRED_SIZE", subgroups ? tuning.subgroup_size : 0);
  if (subgroups) constants.emplace_back("CL_STD", subgroup_language(device.info()));
  return constants;
}

void run_split(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
               const PackedRows& x, const LanesProgram& program, const Array& out) {
  const Stream& stream = program.stream;
  constexpr std::int64_t block = 256;
  const std::int64_t padded = rows.words.shape(0) * tuning.rows;
  const std::int64_t blocks = (p.shape.k + block - 1) / block;
  const std::int64_t tiles = (p.shape.m + tuning.tokens - 1) / tuning.tokens;
  const Array partial = Array::empty({tiles * blocks, tuning.tokens, padded}, DType::f32, stream);
  const Kernel split = program.kernel("qmm_lanes_split"), tree = program.kernel("qmm_lanes_tree");
  const auto lanes = static_cast<std::size_t>(tuning.rows);
  launch(stream, split,
         Grid::groups(size_of_grid(rows.words.shape(0)), size_of_grid(tiles), size_of_grid(blocks),
                      lanes),
         x.x, x.sums, rows.words, rows.scales, rows.biases.value_or(rows.scales), partial,
         int_of(padded), int_of(p.shape.k));
  launch(stream, tree,
         Grid::groups(size_of_grid(rows.words.shape(0)), size_of_grid(p.shape.m), 1, lanes),
         partial, bias_of(p, rows), columns_of(out, rows, stream), int_of(rows.count()),
         int_of(p.shape.n), int_of(padded), int_of(blocks));
}

}  // namespace

void run_lanes(const Product& p, const ProductTuning& tuning, const WeightRows& rows,
               const Array& out, const Stream& stream) {
  const LanesProgram program{stream, lanes_constants(p, tuning, stream.device())};
  const std::int64_t tiles = (p.shape.m + tuning.tokens - 1) / tuning.tokens;
  const PackedRows x = pack(p, tuning, tiles, program);
  if (tuning.split) return run_split(p, tuning, rows, x, program, out);
  launch(stream, program.kernel("qmm_lanes"),
         Grid::groups(size_of_grid(rows.words.shape(0)), size_of_grid(tiles), 1,
                      static_cast<std::size_t>(tuning.rows)),
         x.x, x.sums, rows.words, rows.scales, rows.biases.value_or(rows.scales), bias_of(p, rows),
         columns_of(out, rows, stream), int_of(rows.count()), int_of(p.shape.n), int_of(p.shape.k),
         int_of(p.shape.m));
}

}  // namespace clmx
