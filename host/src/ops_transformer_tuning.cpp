#include "ops_transformer_tuning.hpp"

#include <algorithm>

namespace clmx {
namespace {

constexpr std::int64_t scratch_bytes = std::int64_t{64} << 20;

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

AttentionTuning choose_attention(const DeviceInfo& device, std::int64_t heads,
                                 std::int64_t rows_per_head, std::int64_t keys) {
  AttentionTuning tuning;
  tuning.wide = prefers_vectors(device);
  if (tuning.wide) {
    tuning.tile = static_cast<int>(std::min<std::int64_t>(rows_per_head, 4));
    const std::int64_t tiles = heads * ((rows_per_head + tuning.tile - 1) / tuning.tile);
    tuning.work_items = std::min<std::int64_t>(tiles, 16 * device.compute_units);
    return tuning;
  }
  const std::int64_t row_bytes = (keys + 1) * static_cast<std::int64_t>(sizeof(float));
  tuning.rows = std::clamp<std::int64_t>(scratch_bytes / row_bytes, 1, heads * rows_per_head);
  tuning.work_group =
      std::min<std::size_t>(64, std::max<std::size_t>(1, device.max_work_group_size));
  return tuning;
}

}  // namespace clmx
