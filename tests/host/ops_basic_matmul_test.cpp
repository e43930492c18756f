#include <gtest/gtest.h>

#include <array>
#include "ops_support.hpp"

namespace clmx {
namespace {

using namespace testing_support;

/// One element in the canonical order: blocks of 256 k, the tree over them.
float canonical_dense(const float* a, const float* b, std::size_t k, std::size_t b_step) {
  std::vector<float> blocks;
  for (std::size_t first = 0; first < k; first += 256) {
    float t = 0;
    for (std::size_t i = first; i < std::min(k, first + 256); i++)
      t = std::fma(b[i * b_step], a[i], t);
    blocks.push_back(t);
  }
  return blocks.empty() ? 0.0f : tree(blocks.data(), blocks.size());
}

struct DenseShape {
  std::int64_t m, n, k;
};
constexpr auto dense_shapes = std::to_array<DenseShape>({{1, 1, 1},
                                                         {1, 17, 255},
                                                         {2, 16, 256},
                                                         {5, 33, 257},
                                                         {9, 40, 100},
                                                         {8, 15, 700},
                                                         {3, 5, 1300},
                                                         {4, 7, 0}});

void expect_canonical(const Device& device, const DenseShape& s, bool transpose) {
  const auto a = normals(count(s.m, s.k), 1), b = normals(count(s.k, s.n), 2);
  const Array y =
      matmul(Array::from(a, {s.m, s.k}),
             Array::from(b, transpose ? Shape{s.n, s.k} : Shape{s.k, s.n}), transpose, device);
  ASSERT_EQ(y.shape(), (Shape{s.m, s.n}));
  const auto n = static_cast<std::size_t>(s.n), k = static_cast<std::size_t>(s.k);
  std::vector<float> wanted;
  for (std::size_t i = 0; i < count(s.m, s.n); i++)
    wanted.push_back(canonical_dense(
        a.data() + i / n * k, b.data() + (transpose ? i % n * k : i % n), k, transpose ? 1 : n));
  EXPECT_EQ(floats_of(y), wanted) << device.info().selector << ' ' << s.m << 'x' << s.n << 'x'
                                  << s.k << " transposed " << transpose;
}

TEST(Matmul, HasTheBitsOfTheHostsRecursion) {
  for (const Device& device : test_devices())
    for (const DenseShape& shape : dense_shapes)
      for (const bool transpose : {false, true}) expect_canonical(device, shape, transpose);
}

TEST(Matmul, GivesARowTheSameBitsWhateverTheOtherRows) {
  const Array a = normal_array({64, 320}, 3), b = normal_array({48, 320}, 4);
  for (const Device& device : test_devices()) {
    const auto all = bits_of(matmul(a, b, true, device));
    for (const std::int64_t row : {0, 13, 63}) {
      const auto alone = bits_of(matmul(a.rows(row, row + 1), b, true, device));
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), all.begin() + row * 48));
    }
  }
}

TEST(Matmul, TakesBatchesAndEveryFloatType) {
  for (const Device& device : test_devices())
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
      const Array a = normal_array({2, 3, 4, 40}, 5, type);
      const Array b = normal_array({2, 3, 20, 40}, 6);
      const Array y = matmul(a, b, true, device);
      ASSERT_EQ(y.shape(), (Shape{2, 3, 4, 20}));
      const Array a_last = cast(a, DType::f32, device).reshape({24, 40}).rows(20, 24);
      const Array y_last = matmul(a_last, b.reshape({120, 40}).rows(100, 120), true, device);
      EXPECT_EQ(bits_of(y.reshape({24, 20}).rows(20, 24)), bits_of(y_last));
      const Array narrow = matmul(a, cast(b, type, device).reshape({120, 40}), true, device);
      EXPECT_EQ(narrow.dtype(), type);
      EXPECT_EQ(narrow.shape(), (Shape{2, 3, 4, 120}));
    }
  EXPECT_EQ(matmul(normal_array({0, 8}, 1), normal_array({8, 3}, 1)).shape(), (Shape{0, 3}));
}

}  // namespace
}  // namespace clmx
