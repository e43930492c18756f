#include "ops_basic_tuning.hpp"

#include <algorithm>
#include <bit>

namespace clmx {
namespace {

constexpr std::int64_t elements_worth_a_work_item = 8192;
constexpr std::int64_t items_per_compute_unit = 4;

std::int64_t divide_up(std::int64_t n, std::int64_t by) {
  return (n + by - 1) / by;
}

std::size_t small_group(const DeviceInfo& device) {
  return std::min<std::size_t>(64, std::max<std::size_t>(1, device.max_work_group_size));
}

}  // namespace

bool prefers_vectors(const DeviceInfo& device) {
  return device.device_class == DeviceClass::cpu_vector;
}

ShareTuning choose_elementwise(const DeviceInfo& device, std::int64_t n) {
  if (!prefers_vectors(device)) return {false, 1, small_group(device)};
  const std::int64_t items = std::clamp<std::int64_t>(
      n / elements_worth_a_work_item, 1, device.compute_units * items_per_compute_unit);
  return {true, divide_up(divide_up(n, items), 16) * 16, 1};
}

ShareTuning choose_rows(const DeviceInfo& device, std::int64_t rows, std::int64_t width) {
  if (!prefers_vectors(device)) return {false, 1, small_group(device)};
  const std::int64_t wanted = rows * std::max<std::int64_t>(width, 1) / elements_worth_a_work_item;
  const std::int64_t items = std::clamp<std::int64_t>(
      wanted, 1, std::min(rows, device.compute_units * items_per_compute_unit));
  return {true, divide_up(rows, items), 1};
}

std::size_t choose_reduction_group(const DeviceInfo& device, std::int64_t width) {
  const std::size_t wanted = device.device_class == DeviceClass::emulated ? 16 : 256;
  const auto row = std::bit_ceil(static_cast<std::size_t>(std::max<std::int64_t>(width, 16)));
  const std::size_t allowed = std::bit_floor(std::max<std::size_t>(1, device.max_work_group_size));
  return std::min({wanted, row, allowed});
}

Grid share_grid(const ShareTuning& tuning, std::int64_t n) {
  return Grid::linear(static_cast<std::size_t>(divide_up(n, tuning.per_item)), tuning.work_group);
}

MatmulTuning choose_matmul(const DeviceInfo& device, std::int64_t m) {
  if (!prefers_vectors(device)) return {false, 1, small_group(device)};
  return {true, m >= 8 ? 8 : m >= 4 ? 4 : 1, 1};
}

Grid matmul_grid(const MatmulTuning& tuning, std::int64_t batch, std::int64_t m, std::int64_t n) {
  const std::int64_t columns = tuning.wide ? divide_up(n, 16) : n;
  Grid grid = Grid::linear(static_cast<std::size_t>(columns), tuning.work_group);
  grid.global[1] = static_cast<std::size_t>(divide_up(m, tuning.rows));
  grid.global[2] = static_cast<std::size_t>(batch);
  return grid;
}

}  // namespace clmx
