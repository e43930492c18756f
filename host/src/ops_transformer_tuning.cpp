#include "ops_transformer_tuning.hpp"

#include <algorithm>

namespace clmx {
namespace {

constexpr std::int64_t scratch_bytes = std::int64_t{64} << 20;
constexpr std::int64_t tiles_at_a_time = 16;  // per compute unit; each has a scratch of scores
constexpr std::int64_t largest_wide_dim = 256;
constexpr std::int64_t largest_tile = 4;  // its sums fill the registers at head size 64

/// Of the scores of attention at a time: a device that does not say how much it allocates gets all.
std::int64_t scratch_limit(const DeviceInfo& device) {
  const auto largest = static_cast<std::int64_t>(device.max_allocation_bytes);
  return largest > 0 ? std::min(scratch_bytes, largest) : scratch_bytes;
}

}  // namespace

HeadTuning choose_heads(const DeviceInfo& device, std::int64_t rows, std::int64_t dim) {
  const ShareTuning share = choose_rows(device, rows, dim);
  const bool gpu = !share.wide && device.device_class != DeviceClass::emulated;
  return {share, gpu ? std::size_t{16} : std::size_t{1}};
}

Grid head_grid(const HeadTuning& tuning, std::int64_t rows) {
  Grid grid = share_grid(tuning.share, rows);
  grid.global[1] = tuning.lanes;
  return grid;
}

AttentionTuning choose_attention(const DeviceInfo& device, const AttentionProblem& problem) {
  AttentionTuning tuning;
  tuning.wide = prefers_vectors(device) && problem.largest_dim <= largest_wide_dim;
  if (tuning.wide) {
    tuning.tile = static_cast<int>(std::min(problem.rows_per_head, largest_tile));
    const std::int64_t tiles =
        problem.heads * ((problem.rows_per_head + tuning.tile - 1) / tuning.tile);
    const std::int64_t item_bytes =
        tuning.tile * (problem.keys + 64) * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t fitting = std::max<std::int64_t>(1, scratch_limit(device) / item_bytes);
    tuning.work_items = std::min({tiles, tiles_at_a_time * device.compute_units, fitting});
    return tuning;
  }
  const std::int64_t row_bytes = (problem.keys + 2) * static_cast<std::int64_t>(sizeof(float));
  tuning.rows = std::clamp<std::int64_t>(scratch_limit(device) / row_bytes, 1,
                                         problem.heads * problem.rows_per_head);
  tuning.work_group =
      std::min<std::size_t>(64, std::max<std::size_t>(1, device.max_work_group_size));
  return tuning;
}

}  // namespace clmx
