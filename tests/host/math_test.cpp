#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "math_support.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

/// Every exponent with mantissas spread over it, both signs; then the specials.
Array many_floats() {
  std::vector<float> values;
  for (std::uint32_t bits = 0; bits < 0x7f800000u; bits += 4099)
    for (const std::uint32_t sign : {0u, 0x80000000u})
      values.push_back(std::bit_cast<float>(bits | sign));
  for (float x = -110.0f; x < 95.0f; x += 0.0137f) values.push_back(x);
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float x : {0.0f, -0.0f, 1.0f, 2.0f, infinity, -infinity, NAN}) values.push_back(x);
  while (values.size() % 16 != 0) values.push_back(1.0f);
  return Array::from(values, Shape{static_cast<std::int64_t>(values.size())});
}

class OwnMath : public testing::TestWithParam<Function> {};

TEST_P(OwnMath, IsAccurateOverTheWholeRangeOnEveryDevice) {
  const Array x = many_floats();
  const std::vector<float> inputs = x.to_vector<float>();
  for (const Device& device : test_devices()) {
    const bool flushes = may_flush(device);
    const std::vector<float> got = apply(device, GetParam().name, false, x).to_vector<float>();
    double worst = 0;
    float where = 0;
    for (std::size_t i = 0; i < got.size(); i++) {
      const double wanted = GetParam().exact(static_cast<double>(inputs[i]));
      if (flushes && (subnormal(inputs[i]) || subnormal(static_cast<float>(wanted)))) continue;
      const double error = ulps(got[i], wanted);
      if (error > worst) {
        worst = error;
        where = inputs[i];
      }
    }
    RecordProperty("worst_ulps_" + device.info().selector, std::to_string(worst));
    EXPECT_LT(worst, GetParam().limit) << device.info().selector << " at " << where;
  }
}

TEST_P(OwnMath, HasTheSameBitsOnEveryDeviceAndInVectors) {
  const Array x = many_floats();
  const std::vector<float> inputs = x.to_vector<float>();
  std::vector<float> first;
  for (const Device& device : test_devices()) {
    const bool vectors = device.info().device_class == DeviceClass::cpu_vector;
    for (const bool wide : {false, true}) {
      if (wide && (!vectors || !GetParam().wide)) continue;
      const auto got = apply(device, GetParam().name, wide, x).to_vector<float>();
      if (first.empty()) first = got;
      std::size_t different = 0;
      for (std::size_t i = 0; i < got.size(); i++) {
        const bool excused = may_flush(device) && (subnormal(inputs[i]) || subnormal(first[i]));
        if (excused || std::isnan(first[i])) continue;
        different += std::bit_cast<std::uint32_t>(got[i]) != std::bit_cast<std::uint32_t>(first[i]);
      }
      EXPECT_EQ(different, 0u) << device.info().selector << " wide " << wide;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, OwnMath, testing::ValuesIn(functions),
                         [](const auto& function) { return name_of(function.param); });

}  // namespace
}  // namespace clmx
