#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "ops_support.hpp"

namespace clmx {
namespace {

using namespace testing_support;

struct Sizes {
  std::int64_t batch, heads, kv_heads, queries, keys, dim, dim_v;
};
constexpr auto all_sizes = std::to_array<Sizes>({{1, 1, 1, 1, 1, 16, 16},
                                                 {1, 9, 3, 1, 70, 64, 64},
                                                 {1, 9, 3, 20, 20, 64, 64},
                                                 {2, 6, 2, 5, 131, 40, 24},
                                                 {1, 2, 1, 3, 140, 40, 300},
                                                 {1, 4, 1, 9, 9, 7, 5},
                                                 {2, 4, 4, 3, 200, 128, 64},
                                                 {1, 2, 2, 7, 4, 16, 16},
                                                 {1, 8, 1, 2, 64, 64, 64}});

/// The bhtd operands of a case.
struct Operands {
  Array q, k, v;
};
Operands operands(const Sizes& n, DType type = DType::f32) {
  return {normal_array({n.batch, n.heads, n.queries, n.dim}, 1, type),
          normal_array({n.batch, n.kv_heads, n.keys, n.dim}, 2, type),
          normal_array({n.batch, n.kv_heads, n.keys, n.dim_v}, 3, type)};
}

/// One query row: softmax(scale q k^T) v over the first `visible` keys, all alike where that is 0.
std::vector<double> attend_row(const float* q, const float* k, const float* v, const Sizes& n,
                               std::int64_t visible, double scale) {
  const std::int64_t seen = visible > 0 ? visible : n.keys;
  std::vector<double> scores, out(static_cast<std::size_t>(n.dim_v), 0.0);
  for (std::int64_t j = 0; j < seen; j++) {
    double score = 0;
    for (std::int64_t d = 0; d < n.dim; d++)
      score += double{q[d]} * scale * double{k[j * n.dim + d]};
    scores.push_back(visible > 0 ? score : 0.0);
  }
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& s : scores) sum += s = std::exp(s - largest);
  for (std::int64_t j = 0; j < seen; j++)
    for (std::int64_t d = 0; d < n.dim_v; d++)
      out[static_cast<std::size_t>(d)] +=
          scores[static_cast<std::size_t>(j)] / sum * double{v[j * n.dim_v + d]};
  return out;
}

std::vector<double> attention_reference(const Operands& x, const Sizes& n,
                                        const AttentionOptions& o) {
  const auto q = floats_of(x.q), k = floats_of(x.k), v = floats_of(x.v);
  std::vector<double> out;
  for (std::int64_t row = 0; row < n.batch * n.heads * n.queries; row++) {
    const std::int64_t head = row / n.queries, t = row % n.queries;
    const std::int64_t kv = head / n.heads * n.kv_heads + head % n.heads / (n.heads / n.kv_heads);
    const std::int64_t visible =
        o.causal ? std::max<std::int64_t>(0, t + n.keys - n.queries + 1) : n.keys;
    const auto y = attend_row(q.data() + row * n.dim, k.data() + kv * n.keys * n.dim,
                              v.data() + kv * n.keys * n.dim_v, n, visible, double{o.scale});
    out.insert(out.end(), y.begin(), y.end());
  }
  return out;
}

/// Swaps the axes of heads and time.
Array other_layout(const Array& x) {
  const auto values = floats_of(x);
  std::vector<float> swapped;
  const std::int64_t a = x.shape(1), b = x.shape(2), dim = x.shape(3);
  for (std::int64_t n = 0; n < x.shape(0); n++)
    for (std::int64_t j = 0; j < b; j++)
      for (std::int64_t i = 0; i < a; i++) {
        const auto from = values.begin() + ((n * a + i) * b + j) * dim;
        swapped.insert(swapped.end(), from, from + dim);
      }
  return float_array(swapped, {x.shape(0), b, a, dim}, x.dtype());
}

TEST(Attention, AgreesWithFloat64) {
  for (const Device& device : test_devices())
    for (const Sizes& sizes : all_sizes)
      for (const bool causal : {false, true}) {
        const Operands x = operands(sizes);
        const AttentionOptions options{.scale = 0.3f, .causal = causal};
        const Array y = scaled_dot_product_attention(x.q, x.k, x.v, options, device);
        expect_close(floats_of(y), attention_reference(x, sizes, options), 2e-6,
                     join(device.info().selector, ' ', y.shape(), " causal ", causal));
      }
}

TEST(Attention, GivesThePromotedTypeInEveryFloatType) {
  const Sizes sizes{1, 4, 2, 3, 75, 24, 24};
  const AttentionOptions options{.scale = 0.2f, .causal = true};
  for (const Device& device : test_devices())
    for (const DType type : {DType::f16, DType::bf16}) {
      const Operands x = operands(sizes, type);
      const Array y = scaled_dot_product_attention(x.q, x.k, x.v, options, device);
      EXPECT_EQ(y.dtype(), type);
      const auto wanted = attention_reference(x, sizes, options);
      expect_close(floats_of(y), wanted, type == DType::f16 ? 1e-3 : 8e-3, device.info().selector);
      const Array wide =
          scaled_dot_product_attention(cast(x.q, DType::f32, device), x.k, x.v, options, device);
      EXPECT_EQ(wide.dtype(), DType::f32);
      expect_close(floats_of(wide), wanted, 2e-6, device.info().selector);
    }
}

TEST(Attention, HasTheSameBitsOnEveryDeviceAndInEitherLayout) {
  for (const Sizes& sizes : all_sizes) {
    const Operands x = operands(sizes);
    AttentionOptions options{.scale = 0.3f, .causal = true};
    expect_same_bits([&] { return scaled_dot_product_attention(x.q, x.k, x.v, options); });
    for (const Device& device : test_devices()) {
      options.layout = AttentionLayout::bhtd;
      const Array y = scaled_dot_product_attention(x.q, x.k, x.v, options, device);
      options.layout = AttentionLayout::bthd;
      const Array z = scaled_dot_product_attention(other_layout(x.q), other_layout(x.k),
                                                   other_layout(x.v), options, device);
      EXPECT_EQ(bits_of(other_layout(z)), bits_of(y)) << device.info().selector;
    }
  }
}

TEST(Attention, OfARowDoesNotDependOnTheRowsAndKeysAfterIt) {
  const Sizes whole{1, 6, 2, 150, 150, 48, 48};
  const Operands x = operands(whole);
  const AttentionOptions options{.scale = 0.25f, .causal = true, .layout = AttentionLayout::bthd};
  const Array q = other_layout(x.q), k = other_layout(x.k), v = other_layout(x.v);
  const auto front = [](const Array& a, std::int64_t begin, std::int64_t end) {
    return a.reshape({a.shape(1), a.shape(2), a.shape(3)})
        .rows(begin, end)
        .reshape({1, end - begin, a.shape(2), a.shape(3)});
  };
  for (const Device& device : test_devices()) {
    const Array y = scaled_dot_product_attention(q, k, v, options, device);
    for (const auto& [begin, end] : {std::pair{0, 1}, {0, 63}, {60, 70}, {64, 128}, {149, 150}}) {
      const Array part = scaled_dot_product_attention(front(q, begin, end), front(k, 0, end),
                                                      front(v, 0, end), options, device);
      EXPECT_EQ(bits_of(part), bits_of(front(y, begin, end)))
          << device.info().selector << ' ' << begin << ' ' << end;
    }
  }
}

TEST(Attention, NeverReadsWhatARowMayNotSee) {
  const Sizes sizes{1, 3, 1, 20, 90, 32, 32};
  const Operands x = operands(sizes);
  const AttentionOptions options{.scale = 0.25f, .causal = true};
  auto keys = floats_of(x.k), values = floats_of(x.v);
  const std::size_t last_row = 89 * 32;  // seen by the last query alone
  std::fill(keys.begin() + last_row, keys.end(), NAN);
  std::fill(values.begin() + last_row, values.end(), std::numeric_limits<float>::infinity());
  const Array k = Array::from(keys, x.k.shape()), v = Array::from(values, x.v.shape());
  for (const Device& device : test_devices()) {
    const auto clean = bits_of(scaled_dot_product_attention(x.q, x.k, x.v, options, device));
    const auto dirty = bits_of(scaled_dot_product_attention(x.q, k, v, options, device));
    for (std::size_t head = 0; head < 3; head++)
      for (std::size_t i = head * 640; i < head * 640 + 19 * 32; i++)
        ASSERT_EQ(dirty[i], clean[i]) << device.info().selector << " element " << i;
    EXPECT_NE(dirty.back(), clean.back());
  }
}

TEST(Attention, WithoutKeysIsZero) {
  const Array q = normal_array({1, 4, 3, 8}, 1, DType::f16),
              sinks = normal_array({4}, 2, DType::f16);
  const Array none = normal_array({1, 2, 0, 8}, 1, DType::f16);
  const Array some = normal_array({1, 2, 5, 8}, 1, DType::f16);
  const Array mask = normal_array({3, 0}, 1, DType::f16);
  const std::vector<AttentionOptions> all{
      {}, {.causal = true}, {.sinks = sinks}, {.mask = mask}, {.mask = mask, .sinks = sinks}};
  for (const Device& device : test_devices()) {
    for (AttentionOptions o : all) {
      const std::vector<float> zeros(96, 0.0f);
      const Array y = scaled_dot_product_attention(q, none, none, o, device);
      EXPECT_EQ(y.shape(), q.shape());
      EXPECT_EQ(y.dtype(), DType::f16);
      EXPECT_EQ(floats_of(y), zeros);
      o.kv_length = 0;
      EXPECT_EQ(floats_of(scaled_dot_product_attention(q, some, some, o, device)), zeros);
    }
  }
}

TEST(Attention, RefusesWrongArgumentsAndLaunchesNothing) {
  const Operands x = operands({1, 4, 2, 3, 5, 8, 8});
  const AttentionOptions o;
  const auto attend = [&](const Array& q, const Array& k, const Array& v) {
    expect_refused([&] { scaled_dot_product_attention(q, k, v, o); });
  };
  attend(x.q.reshape({4, 3, 8}), x.k, x.v);
  attend(normal_array({1, 3, 3, 8}, 1), x.k, x.v);
  attend(normal_array({2, 4, 3, 8}, 1), x.k, x.v);
  attend(normal_array({1, 4, 3, 9}, 1), x.k, x.v);
  attend(x.q, x.k, normal_array({1, 2, 6, 8}, 1));
  attend(Array::from(std::vector<std::int32_t>(96), {1, 4, 3, 8}), x.k, x.v);
  EXPECT_EQ(scaled_dot_product_attention(normal_array({1, 4, 0, 8}, 1), x.k, x.v, o).shape(),
            (Shape{1, 4, 0, 8}));
}

}  // namespace
}  // namespace clmx
