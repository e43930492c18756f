#include "clmx/host/ops_split.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "clmx/devices/error.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

std::vector<float> waves(std::int64_t count, float step) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(step * static_cast<float>(i));
  }
  return values;
}

std::vector<RowShare> shares(const std::vector<double>& parts) {
  const std::vector<Device> devices = test_devices();
  std::vector<RowShare> made;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    made.push_back({devices[i % devices.size()], parts[i]});
  }
  return made;
}

using Cuts = std::vector<std::int64_t>;

TEST(CutRows, FollowsTheSharesInStepsOf16) {
  EXPECT_EQ(cut_rows(64, shares({1, 1})), (Cuts{0, 32, 64}));
  EXPECT_EQ(cut_rows(100, shares({3, 1})), (Cuts{0, 80, 100}));
  EXPECT_EQ(cut_rows(96, shares({1, 1, 1})), (Cuts{0, 32, 64, 96}));
  EXPECT_EQ(cut_rows(8, shares({1, 1})), (Cuts{0, 0, 8}));
  EXPECT_EQ(cut_rows(100, shares({1, 0})), (Cuts{0, 100, 100}));
  EXPECT_EQ(cut_rows(100, shares({0, 1})), (Cuts{0, 0, 100}));
  EXPECT_EQ(cut_rows(0, shares({1})), (Cuts{0, 0}));
  EXPECT_THROW((void)cut_rows(8, {}), ArgumentError);
  for (const double bad : {-1.0, double(NAN), double(INFINITY), 0.0}) {
    EXPECT_THROW((void)cut_rows(8, shares({bad})), ArgumentError) << bad;
  }
}

TEST(SplitProduct, HasTheBitsOfTheWholeOne) {
  const Device device = test_devices().front();
  constexpr std::int64_t in = 576, out = 200;
  const Array dense = Array::from(waves(out * in, 0.37f), {out, in});
  const Array bias = Array::from(waves(out, 0.1f), {out});
  for (const QuantizationParams& params :
       {QuantizationParams{}, QuantizationParams{.mode = QuantizationMode::mxfp4}}) {
    const QuantizedWeight w = quantize(dense, params, device);
    for (const std::int64_t rows : {1, 5, 70}) {
      const Array x = Array::from(waves(rows * in, 0.11f), {rows, in});
      const QmmOptions options{.bias = bias, .dtype = DType::f32};
      const auto wanted = quantized_matmul(x, w, options, device).to_vector<float>();
      for (const auto& parts : {std::vector<double>{1, 1}, {1, 2, 3}, {0, 1, 0}, {1}}) {
        const Array split = quantized_matmul(x, w, options, shares(parts), device);
        EXPECT_EQ(split.shape(), (Shape{rows, out}));
        EXPECT_TRUE(split.to_vector<float>() == wanted) << rows << " rows, " << parts.size();
      }
    }
  }
}

TEST(SplitProduct, RefusesWhatAProductRefuses) {
  const Device device = test_devices().front();
  const QuantizedWeight w = quantize(Array::from(waves(64 * 64, 0.3f), {64, 64}), {}, device);
  const Array x = Array::from(waves(65, 1), {65}), bias = Array::from(waves(63, 1), {63});
  EXPECT_THROW((void)quantized_matmul(x, w, {}, shares({1, 1}), device), ArgumentError);
  EXPECT_THROW((void)quantized_matmul(x.rows(0, 64), w, {.bias = bias}, shares({1, 1}), device),
               ArgumentError);
}

TEST(Concatenate, PutsPartsSideBySide) {
  for (const Device& device : test_devices()) {
    for (const std::int64_t width : {1, 7, 16, 33}) {
      const Array a = Array::from(waves(3 * width, 0.2f), {3, width});
      const Array b = Array::from(waves(6, 0.5f), {3, 2});
      const std::vector<Array> parts{a, b};
      const Array joined = concatenate(parts, device);
      ASSERT_EQ(joined.shape(), (Shape{3, width + 2}));
      const auto got = joined.to_vector<float>();
      const auto left = a.to_vector<float>(), right = b.to_vector<float>();
      for (std::int64_t r = 0; r < 3; ++r) {
        for (std::int64_t c = 0; c < width + 2; ++c) {
          const float wanted = c < width ? left[static_cast<std::size_t>(r * width + c)]
                                         : right[static_cast<std::size_t>(r * 2 + c - width)];
          ASSERT_EQ(got[static_cast<std::size_t>(r * (width + 2) + c)], wanted);
        }
      }
    }
  }
}

TEST(Concatenate, RefusesPartsThatDoNotFit) {
  const Array a = Array::from(waves(6, 1), {3, 2}), b = Array::from(waves(4, 1), {2, 2});
  const Array ids = Array::from(std::vector<std::int32_t>(6), {3, 2});
  EXPECT_THROW((void)concatenate({}), ArgumentError);
  EXPECT_THROW((void)concatenate(std::vector{a, b}), ArgumentError);
  EXPECT_THROW((void)concatenate(std::vector{a, ids}), ArgumentError);
  EXPECT_THROW((void)concatenate(std::vector{Array(1.0f)}), ArgumentError);
}

}  // namespace
}  // namespace clmx
