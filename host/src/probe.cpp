#include "probe.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "clmx/devices/error.hpp"
#include "clmx/host/array.hpp"
#include "launch.hpp"

namespace clmx {
namespace {

struct Findings {
  std::mutex mutex;
  std::optional<DeviceAbilities> abilities;
  std::optional<bool> prefetch, permute;
};

Findings& findings(const Device& device) {
  static std::mutex mutex;
  static std::unordered_map<Device, std::unique_ptr<Findings>> all;
  const std::lock_guard lock(mutex);
  std::unique_ptr<Findings>& found = all[device];
  if (!found) found = std::make_unique<Findings>();
  return *found;
}

struct Operands {
  std::vector<float> a, b;
  std::size_t first_denormal = 0;  ///< from here on, results or operands are denormal
};

/// Pairs over the significands and, at the end, the denormal range, by a linear congruence.
Operands operands() {
  Operands pairs;
  std::uint32_t state = 2463534242u;
  const auto next = [&state](std::uint32_t exponent) {
    state = state * 1664525u + 1013904223u;
    return std::bit_cast<float>((state & 0x80000000u) | exponent << 23 |
                                (state >> 8 & 0x007fffffu));
  };
  for (std::uint32_t i = 0; i < 8192; ++i) {
    pairs.a.push_back(next(100 + i % 50));
    pairs.b.push_back(next(130 - i % 40));
  }
  pairs.first_denormal = pairs.a.size();
  for (std::uint32_t i = 0; i < 1024; ++i) {
    pairs.a.push_back(next(i % 3));
    pairs.b.push_back(next(126 + i % 3));
  }
  return pairs;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(a, b, [](float x, float y) {
    return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

DeviceAbilities measure(const Device& device) {
  const Operands pairs = operands();
  const Shape shape{static_cast<std::int64_t>(pairs.a.size())};
  const Stream stream = device.default_stream();
  const Array quotient = Array::empty(shape, DType::f32, stream);
  const Array product = Array::empty(shape, DType::f32, stream);
  launch(stream, device.kernel({kernels(), "probe.cl", "divide_and_multiply", {}}),
         Grid::groups(pairs.a.size()), Array::from(pairs.a, shape), Array::from(pairs.b, shape),
         quotient, product);
  std::vector<float> quotients(pairs.a.size()), products(pairs.a.size());
  std::ranges::transform(pairs.a, pairs.b, quotients.begin(), std::divides<>());
  std::ranges::transform(pairs.a, pairs.b, products.begin(), std::multiplies<>());

  const auto q = quotient.to_vector<float>(), p = product.to_vector<float>();
  const std::size_t n = pairs.first_denormal, denormals = pairs.a.size() - n;
  const auto head = [n](const std::vector<float>& v) { return std::span(v).first(n); };
  const auto tail = [denormals](const std::vector<float>& v) {
    return std::span(v).last(denormals);
  };
  return {
      .exact_division = same_bits(head(q), head(quotients)),
      .exact_denormals = same_bits(tail(q), tail(quotients)) && same_bits(tail(p), tail(products))};
}

/// Builds the probe and runs it once, so that the disk cache keeps it and its values are known:
/// `inputs` go in, `wanted` must come out. False when it does not compile.
template <class... Inputs>
bool works(const Device& device, const KernelSpec& probe, std::span<const float> wanted,
           const Inputs&... inputs) {
  // Some compilers end the process over an unknown builtin; those of vector devices refuse it.
  if (device.info().device_class != DeviceClass::cpu_vector) return false;
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

bool try_prefetch(const Device& device) {
  const std::vector<float> value{1.5f};
  return works(device, {kernels(), "probe_prefetch.cl", "probe_prefetch", {}}, value,
               Array::from(value, {1}));
}

bool try_permute(const Device& device) {
  std::vector<float> table, wanted;
  std::vector<std::int32_t> index;
  for (std::int32_t i = 0; i < 16; ++i) {
    table.push_back(static_cast<float>(i));
    index.push_back(7 * i);  // only the low four bits count
    wanted.push_back(static_cast<float>(7 * i % 16));
  }
  return works(device, {kernels(), "probe_permute.cl", "probe_permute", {}}, wanted,
               Array::from(table, {16}), Array::from(index, {16}));
}

}  // namespace

const DeviceAbilities& abilities(const Device& device) {
  Findings& found = findings(device);
  const std::lock_guard lock(found.mutex);
  if (!found.abilities) found.abilities = measure(device);
  return *found.abilities;
}

bool can_prefetch(const Device& device) {
  Findings& found = findings(device);
  const std::lock_guard lock(found.mutex);
  if (!found.prefetch) found.prefetch = try_prefetch(device);
  return *found.prefetch;
}

bool can_permute(const Device& device) {
  Findings& found = findings(device);
  const std::lock_guard lock(found.mutex);
  if (!found.permute) found.permute = try_permute(device);
  return *found.permute;
}

}  // namespace clmx
