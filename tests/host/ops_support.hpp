#pragma once

#include <bit>
#include <functional>
#include <string>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops.hpp"
#include "quantized_support.hpp"

namespace clmx::testing_support {

inline Array normal_array(const Shape& shape, std::uint32_t seed, DType dtype = DType::f32) {
  return float_array(normals(static_cast<std::size_t>(shape.elements()), seed), shape, dtype);
}

inline std::vector<std::uint32_t> bits_of(const Array& array) {
  std::vector<std::uint32_t> bits;
  for (const float v : floats_of(array)) bits.push_back(std::bit_cast<std::uint32_t>(v));
  return bits;
}

/// The bits that `run` gives on every device under test, which must be the same.
inline void expect_same_bits(const std::function<Array()>& run) {
  std::vector<std::uint32_t> first;
  for (const Device& device : test_devices()) {
    const StreamScope scope(device);
    const std::vector<std::uint32_t> got = bits_of(run());
    if (first.empty()) first = got;
    EXPECT_EQ(got, first) << device.info().selector;
  }
}

/// Throws ArgumentError and launches nothing.
inline void expect_refused(const std::function<void()>& call) {
  const std::uint64_t before = build_stats().launches;
  EXPECT_THROW(call(), ArgumentError);
  EXPECT_EQ(build_stats().launches, before);
}

/// |got - wanted| <= limit * max(1, |wanted|) for every element.
inline void expect_close(const std::vector<float>& got, const std::vector<double>& wanted,
                         double limit, const std::string& where) {
  ASSERT_EQ(got.size(), wanted.size()) << where;
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); i++) {
    const double error = std::abs(static_cast<double>(got[i]) - wanted[i]);
    worst = std::max(worst, std::isnan(error) ? 1e30 : error / std::max(1.0, std::abs(wanted[i])));
  }
  EXPECT_LE(worst, limit) << where;
}

}  // namespace clmx::testing_support
