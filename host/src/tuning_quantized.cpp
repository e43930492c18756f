#include "tuning_quantized.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace clmx {
namespace {

/// The tree's stack in the vector kernels holds 2^15 blocks of 256.
constexpr std::int64_t widest_prepared = std::int64_t{256} << 15;

/// Up to here the vector kernel, once a row, takes less time than one tile of eight rows.
constexpr std::int64_t few_rows = 3;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// Work-items that a compute unit of a GPU wants, to hide the latency of its memory.
constexpr std::int64_t items_per_compute_unit = 2048;

bool is_gpu(const DeviceInfo& device) {
  return device.device_class == DeviceClass::gpu_plain ||
         device.device_class == DeviceClass::gpu_subgroup;
}

/// A work-group of the lanes kernel: 64, or 32 where sub-groups are no wider and small groups
/// spread better.
int choose_lanes(const DeviceInfo& device) {
  const bool narrow = device.subgroup_size > 0 && device.subgroup_size <= 32;
  const int wanted = narrow ? 32 : 64;
  if (static_cast<std::size_t>(wanted) <= device.max_work_group_size) return wanted;
  return device.max_work_group_size >= 32 ? 32 : 0;
}

ProductTuning choose_lanes_product(const DeviceInfo& device, const ProductShape& shape, int rows) {
  constexpr std::int64_t block = 256, shallow_depth = 8;
  constexpr std::int64_t shallow_width = block << (shallow_depth - 1);
  ProductTuning tuning;
  tuning.kernel = ProductKernel::lanes;
  tuning.rows = rows;
  tuning.work_items = rows;
  tuning.tokens = shape.m == 1 ? 1 : shape.m <= 4 ? 4 : 8;
  tuning.depth = shape.k <= shallow_width ? shallow_depth : 16;
  tuning.subgroups = device.device_class == DeviceClass::gpu_subgroup;
  const std::int64_t items = ceil_div(shape.n, rows) * rows * ceil_div(shape.m, tuning.tokens);
  tuning.split = shape.k > block && items < items_per_compute_unit * device.compute_units;
  return tuning;
}

}  // namespace

bool has_prepared_kernels(const QuantizationParams& params) {
  const int bits = params.bit_count(), codes_per_word = 32 / bits;
  return 32 % bits == 0 && params.group() % codes_per_word == 0;
}

ProductTuning choose_plain(const DeviceInfo& device) {
  ProductTuning tuning;
  const bool cpu = device.type == DeviceType::cpu;
  tuning.work_items =
      static_cast<int>(std::min<std::size_t>(cpu ? 16 : 64, device.max_work_group_size));
  return tuning;
}

ProductTuning choose_columns(const DeviceInfo& device, std::int64_t m) {
  ProductTuning tuning = choose_plain(device);
  tuning.kernel = ProductKernel::columns;
  // An emulated device counts the turns of every loop.
  tuning.tokens = m == 1 || device.device_class == DeviceClass::emulated ? 1 : 4;
  return tuning;
}

int choose_rows(const DeviceInfo& device, std::int64_t n) {
  if (is_gpu(device)) return choose_lanes(device);
  if (device.device_class != DeviceClass::cpu_vector) return 0;
  // Measured cost of a row: fewer chains of sums hide less latency.
  struct Candidate {
    int rows;
    double cost;
  };
  constexpr std::array<Candidate, 4> candidates{{{128, 1.0}, {96, 1.02}, {64, 1.08}, {32, 1.5}}};
  int best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (const Candidate& candidate : candidates) {
    // The busiest compute unit decides.
    const std::int64_t blocks = ceil_div(ceil_div(n, candidate.rows), device.compute_units);
    const double cost = static_cast<double>(blocks * candidate.rows) * candidate.cost;
    if (cost < least) {
      least = cost;
      best = candidate.rows;
    }
  }
  return best;
}

ProductTuning choose_product(const DeviceInfo& device, const ProductShape& shape) {
  const int rows = choose_rows(device, shape.n);
  if (rows == 0 || shape.k > widest_prepared) return choose_plain(device);
  if (is_gpu(device)) return choose_lanes_product(device, shape, rows);
  ProductTuning tuning;
  tuning.rows = rows;
  if (shape.m <= few_rows) {
    tuning.kernel = ProductKernel::vector;
    tuning.prefetch = 128;
    tuning.work_groups =
        static_cast<int>(std::min<std::int64_t>(device.compute_units, ceil_div(shape.n, rows)));
    return tuning;
  }
  tuning.kernel = ProductKernel::tile;
  tuning.prefetch = 32;
  // Several work-groups a compute unit balance the load; eight tiles share a block's codes in
  // cache.
  const std::int64_t work = ceil_div(shape.m, tile_rows) * ceil_div(shape.n, rows);
  tuning.tiles = static_cast<int>(
      std::clamp<std::int64_t>(work / (std::int64_t{4} * device.compute_units), 1, 8));
  return tuning;
}

}  // namespace clmx
