#include "features.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "clmx/devices/error.hpp"
#include "clmx/host/array.hpp"
#include "launch.hpp"
#include "probe_subgroup.hpp"

namespace clmx {
namespace {

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(a, b, [](float x, float y) {
    return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

/// Builds the probe and runs it once: `inputs` go in, `wanted` must come out. False when it does
/// not compile.
template <class... Inputs>
bool gives(const Device& device, const KernelSpec& probe, std::span<const float> wanted,
           const Inputs&... inputs) {
  try {
    const Stream stream = device.default_stream();
    const Shape shape{static_cast<std::int64_t>(wanted.size())};
    const Array to = Array::empty(shape, DType::f32, stream);
    launch(stream, device.kernel(probe), Grid{}, inputs..., to);
    return same_bits(to.to_vector<float>(), wanted);
  } catch (const KernelBuildError&) {
    return false;
  }
}

bool prefetch_works(const Device& device) {
  const std::vector<float> value{1.5f};
  return gives(device, {kernels(), "probe_prefetch.cl", "probe_prefetch", {}}, value,
               Array::from(value, {1}));
}

bool permute_works(const Device& device) {
  std::vector<float> table, wanted;
  std::vector<std::int32_t> index;
  for (std::int32_t i = 0; i < 16; ++i) {
    table.push_back(static_cast<float>(i));
    index.push_back(7 * i);  // only the low four bits count
    wanted.push_back(static_cast<float>(7 * i % 16));
  }
  return gives(device, {kernels(), "probe_permute.cl", "probe_permute", {}}, wanted,
               Array::from(table, {16}), Array::from(index, {16}));
}

bool is_vector_cpu(const DeviceInfo& device) {
  return device.device_class == DeviceClass::cpu_vector;
}

bool has_subgroups(const DeviceInfo& device) {
  return device.subgroup_size > 0;
}

constexpr std::array table{Feature{"prefetch", is_vector_cpu, prefetch_works},
                           Feature{"permute", is_vector_cpu, permute_works},
                           Feature{"subgroup", has_subgroups, try_subgroup}};

}  // namespace

std::span<const Feature> features() {
  return table;
}

}  // namespace clmx
