#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "devices/test_kernels.hpp"
#include "ops_support.hpp"

namespace clmx {
namespace {

using namespace testing_support;
using testing::HasSubstr;

Array indices(const std::vector<std::int32_t>& values) {
  return Array::from(values, {static_cast<std::int64_t>(values.size())});
}

/// Matrix e of a stack of three axes.
Array matrix(const Array& stack, std::int64_t e) {
  return stack.rows(e, e + 1).reshape({stack.shape(1), stack.shape(2)});
}

TEST(GatherMm, HasTheBitsOfMatmulOfEachChosenPair) {
  const std::vector<std::int32_t> of_a{1, 0, 1, 2}, of_b{3, 3, 0, 2};
  for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
    const Array a = normal_array({3, 5, 300}, 1, type);
    for (const bool transposed : {false, true}) {
      const Array b = normal_array(transposed ? Shape{4, 35, 300} : Shape{4, 300, 35}, 2, type);
      expect_same_bits([&] {
        return gather_mm(a, b, {indices(of_a), indices(of_b), true}, transposed);
      });
      for (const Device& device : test_devices()) {
        const Array y = gather_mm(a, b, {indices(of_a), indices(of_b)}, transposed, device);
        ASSERT_EQ(y.shape(), (Shape{4, 5, 35}));
        ASSERT_EQ(y.dtype(), type);
        for (std::size_t z = 0; z < of_a.size(); ++z) {
          const auto at = static_cast<std::int64_t>(z);
          const Array wanted = matmul(matrix(a, of_a[z]), matrix(b, of_b[z]), transposed, device);
          EXPECT_EQ(bits_of(y.rows(at, at + 1)), bits_of(wanted)) << device.info().selector;
        }
      }
    }
  }
}

TEST(GatherMm, GivesEachTokenItsExperts) {
  const Array x = normal_array({3, 1, 1, 64}, 1), w = normal_array({4, 7, 64}, 2);
  const Array experts = Array::from(std::vector<std::uint32_t>{3, 0, 1, 1, 2, 0}, {3, 2});
  for (const Device& device : test_devices()) {
    const Array y = gather_mm(x, w, {.rhs = experts}, true, device);
    ASSERT_EQ(y.shape(), (Shape{3, 2, 1, 7}));
    const Array last = matmul(x.reshape({3, 64}).rows(2, 3), matrix(w, 0), true, device);
    EXPECT_EQ(bits_of(y.reshape({6, 7}).rows(5, 6)), bits_of(last));
  }
}

TEST(GatherMm, FillsInMissingIndicesAndBroadcastsWithoutAny) {
  const Array a = normal_array({3, 2, 16}, 1), b = normal_array({3, 16, 5}, 2);
  for (const Device& device : test_devices()) {
    const auto wanted = bits_of(matmul(a, b, false, device));
    EXPECT_EQ(bits_of(gather_mm(a, b, {}, {}, false, device)), wanted);
    EXPECT_EQ(bits_of(gather_mm(a, b, indices({0, 1, 2}), {}, false, device)), wanted);
    EXPECT_EQ(bits_of(gather_mm(a, b, {}, indices({0, 1, 2}), true, device)), wanted);
    const Array one = gather_mm(a, matrix(b, 1), {}, {}, false, device);
    EXPECT_EQ(bits_of(one), bits_of(matmul(a, matrix(b, 1), false, device)));
    const Array grid = gather_mm(a.reshape({3, 1, 2, 16}), b, {}, {}, false, device);
    EXPECT_EQ(grid.shape(), (Shape{3, 3, 2, 5}));
  }
}

TEST(GatherMm, ReportsIndicesThatADeviceComputed) {
  const Array a = normal_array({3, 2, 16}, 1), b = normal_array({3, 16, 5}, 2);
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const auto gathered = [&](float last) {
      const Array at = cast(Array::from(std::vector<float>{2, 0, last}, {3}), DType::i32, stream);
      return gather_mm(a, b, {.rhs = at}, false, stream);
    };
    EXPECT_EQ(bits_of(gathered(1)),
              bits_of(gather_mm(a, b, {.rhs = indices({2, 0, 1})}, false, stream)));
    for (const int wrong : {3, -1}) {
      const Array y = gathered(static_cast<float>(wrong));
      EXPECT_THAT(message_of<ArgumentError>([&] { y.to_vector<float>(); }),
                  HasSubstr("[gather_mm] index " + std::to_string(wrong)));
    }
  }
}

TEST(GatherMm, OfNothingIsEmptyOrZero) {
  const Array no_index = Array::from(std::vector<std::uint32_t>{}, {0});
  for (const Device& device : test_devices()) {
    const Array x = normal_array({1, 2, 16}, 1), b = normal_array({3, 16, 5}, 2);
    EXPECT_EQ(gather_mm(x, b, {.rhs = no_index}, false, device).shape(), (Shape{0, 2, 5}));
    const Array none = Array::from(std::vector<float>{}, {1, 2, 0});
    const Array no_inner = Array::from(std::vector<float>{}, {3, 0, 5});
    const Array zeros = gather_mm(none, no_inner, {.rhs = indices({1})}, false, device);
    EXPECT_EQ(zeros.shape(), (Shape{1, 2, 5}));
    EXPECT_EQ(zeros.to_vector<float>(), std::vector<float>(10));
  }
}

TEST(GatherMm, NamesWhatItRefusesAndEnqueuesNothing) {
  const Array a = normal_array({1, 2, 16}, 1), b = normal_array({3, 16, 5}, 2);
  expect_refused([&] { (void)gather_mm(a, b, {.rhs = indices({3})}); });
  expect_refused([&] { (void)gather_mm(a, b, {.lhs = indices({-1})}); });
  EXPECT_THAT(message_of<ArgumentError>([&] { (void)gather_mm(a, b, {.rhs = indices({3})}); }),
              HasSubstr("[gather_mm] rhs indices has index 3 of 3 matrices"));
  EXPECT_THAT(message_of<ArgumentError>([&] { (void)gather_mm(a, b, {}, true); }),
              HasSubstr("[gather_mm] a has shape [1, 2, 16], b has [3, 16, 5] (transposed)"));
}

}  // namespace
}  // namespace clmx
