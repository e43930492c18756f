#include <gtest/gtest.h>

#include <limits>

#include "ops_support.hpp"

namespace clmx {
namespace {

using namespace testing_support;
using Indices = std::vector<std::uint32_t>;

TEST(Argsort, IsStableForEqualElementsOverManyRuns) {
  const std::int64_t width = 1000;
  std::vector<std::int32_t> values;
  for (std::int64_t i = 0; i < width; i++) values.push_back(static_cast<std::int32_t>(i % 3));
  const Array x = Array::from(values, {width});
  for (const Device& device : test_devices()) {
    const Indices order = argsort(x, device).to_vector<std::uint32_t>();
    for (std::size_t i = 1; i < order.size(); i++) {
      const std::int32_t before = values[order[i - 1]], here = values[order[i]];
      ASSERT_TRUE(before < here || (before == here && order[i - 1] < order[i]))
          << device.info().selector << " at " << i;
    }
  }
}

TEST(Argsort, PutsNanLastAndTakesTheZerosForEqual) {
  const float inf = std::numeric_limits<float>::infinity();
  const Array x = Array::from(std::vector<float>{NAN, 0.0f, inf, -0.0f, -NAN, -inf, 1.0f}, {7});
  for (const Device& device : test_devices())
    EXPECT_EQ(argsort(x, device).to_vector<std::uint32_t>(), (Indices{5, 1, 3, 6, 2, 0, 4}))
        << device.info().selector;
}

TEST(Argsort, OrdersTheWholeRangeOfIntegers) {
  const Array u = Array::from(std::vector<std::uint32_t>{0xffffffffu, 0, 0x80000000u, 1}, {4});
  const Array i = Array::from(std::vector<std::int32_t>{-1, std::numeric_limits<int>::min(), 0,
                                                        std::numeric_limits<int>::max()},
                              {4});
  for (const Device& device : test_devices()) {
    EXPECT_EQ(argsort(u, device).to_vector<std::uint32_t>(), (Indices{1, 3, 2, 0}));
    EXPECT_EQ(argsort(i, device).to_vector<std::uint32_t>(), (Indices{1, 0, 2, 3}));
  }
}

TEST(TopK, IsTheEndOfTheSortedRow) {
  const Array x = normal_array({3, 130}, 5);
  for (const Device& device : test_devices()) {
    const Indices order = argsort(x, device).to_vector<std::uint32_t>();
    const TopK top = topk(x, 4, device);
    EXPECT_EQ(top.values.shape(), (Shape{3, 4}));
    const Indices indices = top.indices.to_vector<std::uint32_t>();
    const auto values = floats_of(top.values), all = floats_of(x);
    for (std::size_t i = 0; i < indices.size(); i++) {
      const std::size_t row = i / 4;
      EXPECT_EQ(indices[i], order[row * 130 + 126 + i % 4]);
      EXPECT_EQ(values[i], all[row * 130 + indices[i]]);
    }
  }
}

TEST(TopK, TakesNoneOrAllAndRefusesMore) {
  const Array x = Array::from(std::vector<float>{3, 1, 2}, {3});
  for (const Device& device : test_devices()) {
    EXPECT_EQ(topk(x, 0, device).values.shape(), (Shape{0}));
    EXPECT_EQ(topk(x, 0, device).indices.shape(), (Shape{0}));
    EXPECT_EQ(floats_of(topk(x, 3, device).values), (std::vector<float>{1, 2, 3}));
    EXPECT_EQ(topk(x, 3, device).indices.to_vector<std::uint32_t>(), (Indices{1, 2, 0}));
  }
  expect_refused([&] { topk(x, 4); });
  expect_refused([&] { topk(x, -1); });
  expect_refused([] { topk(Array(1.0f), 0); });
  EXPECT_EQ(topk(normal_array({0, 3}, 1), 2).values.shape(), (Shape{0, 2}));
}

}  // namespace
}  // namespace clmx
