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

}  // namespace

const DeviceAbilities& abilities(const Device& device) {
  Findings& found = findings(device);
  const std::lock_guard lock(found.mutex);
  if (!found.abilities) found.abilities = measure(device);
  return *found.abilities;
}

}  // namespace clmx
