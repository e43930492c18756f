#include "probe_subgroup.hpp"

#include <numeric>

#include "clmx/devices/error.hpp"
#include "launch.hpp"

namespace clmx {
namespace {

constexpr std::int32_t items = 64, item_values = 3;

/// What one work-item found: the sum over its sub-group, the sub-group's size, its own place in it.
struct Finding {
  std::int32_t sum, size, lane;
};

/// Sub-groups cover a work-group in order, neighbours together.
bool consistent(std::span<const std::int32_t> values, std::int32_t group) {
  for (std::int32_t i = 0; i < items; ++i) {
    const auto at = values.subspan(static_cast<std::size_t>(i) * item_values, item_values);
    const Finding found{at[0], at[1], at[2]};
    const std::int32_t first = i - found.lane;
    if (found.size < 1 || found.lane < 0 || found.lane >= found.size) return false;
    if (first % group + found.size > group || first < 0) return false;
    if (found.sum != found.size * first + found.size * (found.size - 1) / 2) return false;
  }
  return true;
}

bool works_in_groups_of(const Device& device, std::int32_t group) {
  std::vector<std::int32_t> numbers(items);
  std::iota(numbers.begin(), numbers.end(), 0);
  const Stream stream = device.default_stream();
  const Array to = Array::empty({items, item_values}, DType::i32, stream);
  const Constants constants{{"ITEMS", group}, {"CL_STD", subgroup_language(device.info())}};
  const Kernel kernel =
      device.kernel({kernels(), "probe_subgroup.cl", "probe_subgroup", constants});
  launch(stream, kernel, Grid::linear(items, static_cast<std::size_t>(group)),
         Array::from(numbers, {items}), to);
  return consistent(to.to_vector<std::int32_t>(), group);
}

}  // namespace

int subgroup_language(const DeviceInfo& device) {
  const std::string& version = device.opencl_c_version;  // "OpenCL C 3.0 ..."
  const std::size_t digit = version.find_first_of("0123456789");
  const char major = digit == std::string::npos ? '1' : version[digit];
  return major == '1' ? 120 : major == '2' ? 200 : 300;
}

bool try_subgroup(const Device& device) {
  try {
    for (const std::int32_t group : {32, 64}) {
      const bool allowed = static_cast<std::size_t>(group) <= device.info().max_work_group_size;
      if (allowed && !works_in_groups_of(device, group)) return false;
    }
    return true;
  } catch (const KernelBuildError&) {
    return false;
  }
}

}  // namespace clmx
