#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <numeric>

#include "math_support.hpp"
#include "support/test_devices.hpp"

// clmx's own functions on every number that f32 has.
namespace clmx {
namespace {

constexpr std::uint64_t all_numbers = std::uint64_t{1} << 32;
constexpr std::uint32_t chunk = std::uint32_t{1} << 24;

std::vector<float> numbers_from(std::uint64_t first) {
  std::vector<float> numbers(chunk);
  for (std::uint32_t i = 0; i < chunk; ++i)
    numbers[i] = std::bit_cast<float>(static_cast<std::uint32_t>(first) + i);
  return numbers;
}

struct Worst {
  double ulps = 0;
  float at = 0;
};

Worst worst_of(const Function& function, std::span<const float> x, std::span<const float> got) {
  Worst worst;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double wanted = function.exact(static_cast<double>(x[i]));
    if (static_cast<float>(wanted) == got[i])
      continue;  // half a unit at most; measuring takes long
    const double error = ulps(got[i], wanted);
    if (error > worst.ulps) worst = {error, x[i]};
  }
  return worst;
}

/// In two threads: the reference takes longer than the device.
Worst worst_in_halves(const Function& function, std::span<const float> x,
                      std::span<const float> got) {
  const std::size_t half = x.size() / 2;
  auto upper = std::async(std::launch::async,
                          [&] { return worst_of(function, x.subspan(half), got.subspan(half)); });
  const Worst lower = worst_of(function, x.first(half), got.first(half));
  const Worst other = upper.get();
  return lower.ulps >= other.ulps ? lower : other;
}

/// Results with other bits; NaN counts as NaN, and numbers that a device may flush are left out.
std::size_t different(std::span<const float> x, std::span<const float> a, std::span<const float> b,
                      bool flushes) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(a[i]) == std::bit_cast<std::uint32_t>(b[i])) continue;
    const bool excused = flushes && (subnormal(x[i]) || subnormal(a[i]));
    if (!excused && !(std::isnan(a[i]) && std::isnan(b[i]))) ++count;
  }
  return count;
}

class OwnMathFull : public testing::TestWithParam<Function> {
 protected:
  /// The other devices and the vector form against the first device's results.
  void compare(std::span<const float> numbers, const Array& x, std::span<const float> first) {
    for (const Device& device : test_devices()) {
      const bool vectors = device.info().device_class == DeviceClass::cpu_vector;
      for (const bool wide : {false, true}) {
        const char* const name = wide ? GetParam().wide_name : GetParam().name;
        if (name == nullptr || (wide && !vectors)) continue;
        EXPECT_EQ(different(numbers, first, apply(device, name, wide, x), !vectors), 0U)
            << device.info().selector << " wide " << wide << " from " << numbers.front();
      }
    }
  }
};

TEST_P(OwnMathFull, IsWithinAUnitAndTheSameEverywhere) {
  const Device device = test_devices().front();
  ASSERT_EQ(device.info().device_class, DeviceClass::cpu_vector)
      << "a device that keeps subnormals";
  Worst worst;
  for (std::uint64_t first = 0; first < all_numbers; first += chunk) {
    const std::vector<float> numbers = numbers_from(first);
    const Array x = Array::from(numbers, Shape{chunk});
    const std::vector<float> got = apply(device, GetParam().name, false, x);
    const Worst here = worst_in_halves(GetParam(), numbers, got);
    if (here.ulps > worst.ulps) worst = here;
    compare(numbers, x, got);
  }
  RecordProperty("worst_ulps", std::to_string(worst.ulps));
  std::cout << GetParam().name << ": at most " << worst.ulps << " ulp, at " << worst.at << '\n';
  EXPECT_LE(worst.ulps, 1.0);
}

INSTANTIATE_TEST_SUITE_P(All, OwnMathFull, testing::ValuesIn(functions), [](const auto& function) {
  return std::string(function.param.name).substr(5);
});

}  // namespace
}  // namespace clmx
