#include "attention_mask.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "ops_support.hpp"

// What masks, windows and sinks promise beyond the budgets of the cases.
namespace clmx {
namespace {

using namespace testing_support;

constexpr std::int64_t heads = 4, kv_heads = 2, dim = 16;

struct Operands {
  Array q, k, v;
};
Operands operands(std::int64_t queries, std::int64_t keys) {
  return {normal_array({1, heads, queries, dim}, 1), normal_array({1, kv_heads, keys, dim}, 2),
          normal_array({1, kv_heads, keys, dim}, 3)};
}

Array attend(const Operands& x, const AttentionOptions& options, const Device& device) {
  return scaled_dot_product_attention(x.q, x.k, x.v, options, device);
}

Array booleans(const std::vector<std::uint8_t>& values, const Shape& shape) {
  return Array::from(values, shape);
}

/// Row (head, query) of a result.
std::vector<std::uint32_t> row_of(const Array& y, std::int64_t head, std::int64_t query) {
  const auto bits = bits_of(y);
  const auto begin = bits.begin() + (head * y.shape(2) + query) * y.shape(3);
  return {begin, begin + y.shape(3)};
}

TEST(AttentionMask, OfABandHasTheBitsOfCausalWithAWindow) {
  constexpr std::int64_t queries = 20, keys = 50, window = 9;
  std::vector<std::uint8_t> band;
  for (std::int64_t t = 0; t < queries; t++)
    for (std::int64_t key = 0; key < keys; key++)
      band.push_back(key <= t + keys - queries && key > t + keys - queries - window);
  const Operands x = operands(queries, keys);
  for (const Device& device : test_devices()) {
    const Array by_window = attend(x, {.scale = 0.3f, .causal = true, .window = window}, device);
    const Array by_mask =
        attend(x, {.scale = 0.3f, .mask = booleans(band, {queries, keys})}, device);
    EXPECT_EQ(bits_of(by_window), bits_of(by_mask)) << device.info().selector;
  }
}

TEST(AttentionMask, ThatAllowsAllOrAWindowOfAllHasTheBitsOfNone) {
  const Operands x = operands(5, 150);
  const Array all = booleans(std::vector<std::uint8_t>(150, 1), {150});
  const Array zero = Array(0.0f);
  for (const Device& device : test_devices()) {
    const auto wanted = bits_of(attend(x, {.scale = 0.3f, .causal = true}, device));
    AttentionOptions options{.scale = 0.3f, .causal = true, .mask = all};
    EXPECT_EQ(bits_of(attend(x, options, device)), wanted) << device.info().selector;
    options.mask = zero;
    EXPECT_EQ(bits_of(attend(x, options, device)), wanted) << device.info().selector;
    options.mask.reset();
    options.window = 150;
    EXPECT_EQ(bits_of(attend(x, options, device)), wanted) << device.info().selector;
  }
}

TEST(AttentionMask, KeepsInfinitiesAndNanOfHiddenKeysOut) {
  Operands x = operands(3, 70);
  const AttentionOptions options{.scale = 0.3f,
                                 .mask = booleans(
                                     [] {
                                       std::vector<std::uint8_t> seen(70, 1);
                                       seen[0] = seen[33] = seen[69] = 0;
                                       return seen;
                                     }(),
                                     {1, 70})};
  std::vector<float> keys = floats_of(x.k), values = floats_of(x.v);
  for (const std::size_t key : {0, 33, 69})
    for (std::size_t d = 0; d < dim; d++) {
      keys[key * dim + d] = keys[(70 + key) * dim + d] = NAN;
      values[key * dim + d] = values[(70 + key) * dim + d] = std::numeric_limits<float>::infinity();
    }
  const Operands dirty{x.q, Array::from(keys, x.k.shape()), Array::from(values, x.v.shape())};
  for (const Device& device : test_devices())
    EXPECT_EQ(bits_of(attend(dirty, options, device)), bits_of(attend(x, options, device)))
        << device.info().selector;
}

TEST(AttentionMask, OfARowWithoutKeysGivesTheMeanOrZeroWithASink) {
  const Operands x = operands(2, 70);
  std::vector<std::uint8_t> seen(140, 1);
  std::fill_n(seen.begin(), 70, std::uint8_t{0});
  AttentionOptions options{.scale = 0.3f, .mask = booleans(seen, {2, 70})};
  const auto values = floats_of(x.v);
  for (const Device& device : test_devices()) {
    options.sinks.reset();
    const auto y = floats_of(attend(x, options, device));
    for (std::size_t d = 0; d < dim; d++) {
      double mean = 0;
      for (std::size_t key = 0; key < 70; key++) mean += double{values[key * dim + d]} / 70;
      EXPECT_NEAR(y[d], mean, 1e-6) << device.info().selector;
    }
    options.sinks = Array::from(std::vector<float>(heads, -3.0f), {heads});
    const Array with_sink = attend(x, options, device);
    for (std::int64_t head = 0; head < heads; head++) {
      EXPECT_EQ(row_of(with_sink, head, 0), std::vector<std::uint32_t>(dim, 0u))
          << device.info().selector;
      EXPECT_NE(row_of(with_sink, head, 1), std::vector<std::uint32_t>(dim, 0u));
    }
  }
}

TEST(AttentionMask, OfMinusInfinityEverywhereGivesNanOrZeroWithASink) {
  const Operands x = operands(2, 70);
  const float lowest = -std::numeric_limits<float>::infinity();
  AttentionOptions options{.scale = 0.3f,
                           .mask = Array::from(std::vector<float>(70, lowest), {70})};
  for (const Device& device : test_devices()) {
    options.sinks.reset();
    for (const float value : floats_of(attend(x, options, device))) EXPECT_TRUE(std::isnan(value));
    options.sinks = Array::from(std::vector<float>(heads, 1.0f), {heads});
    for (const float value : floats_of(attend(x, options, device))) EXPECT_EQ(value, 0.0f);
  }
}

TEST(AttentionMask, SinkOfMinusInfinityHasNoWeight) {
  const Operands x = operands(3, 70);
  const float lowest = -std::numeric_limits<float>::infinity();
  const Array sinks = Array::from(std::vector<float>(heads, lowest), {heads});
  for (const Device& device : test_devices())
    EXPECT_EQ(bits_of(attend(x, {.scale = 0.3f, .sinks = sinks}, device)),
              bits_of(attend(x, {.scale = 0.3f}, device)))
        << device.info().selector;
}

TEST(AttentionMask, InAWindowRowsDoNotDependOnTheChunkThatHoldsThem) {
  constexpr std::int64_t time = 150;
  const Operands x = operands(time, time);
  const Array sinks = normal_array({heads}, 4);
  const auto first_keys = [&](const Array& a, std::int64_t count) {
    const auto all = floats_of(a);
    std::vector<float> part;
    for (std::int64_t head = 0; head < a.shape(1); head++) {
      const auto begin = all.begin() + head * time * dim;
      part.insert(part.end(), begin, begin + count * dim);
    }
    return Array::from(part, a.shape().with(2, count));
  };
  for (const Device& device : test_devices()) {
    const AttentionOptions options{.scale = 0.3f, .causal = true, .sinks = sinks, .window = 40};
    const Array whole = attend(x, options, device);
    for (const std::int64_t length : {1, 64, 100, 149}) {
      const Array q = first_keys(x.q, length);
      const Array part = scaled_dot_product_attention(q, first_keys(x.k, length),
                                                      first_keys(x.v, length), options, device);
      AttentionOptions counted = options;
      counted.kv_length = length;
      EXPECT_EQ(bits_of(scaled_dot_product_attention(q, x.k, x.v, counted, device)), bits_of(part));
      for (std::int64_t head = 0; head < heads; head++)
        EXPECT_EQ(row_of(part, head, length - 1), row_of(whole, head, length - 1))
            << device.info().selector << ' ' << length;
    }
  }
}

TEST(AttentionMask, RefusesWhatDoesNotFitAndLaunchesNothing) {
  const Operands x = operands(3, 5);
  const auto refuse = [&](const AttentionOptions& options) {
    expect_refused([&] { scaled_dot_product_attention(x.q, x.k, x.v, options); });
  };
  refuse({.mask = normal_array({3, 4}, 1)});
  refuse({.mask = normal_array({1, 1, heads, 3, 5}, 1)});
  refuse({.mask = Array::from(std::vector<std::int32_t>(5), {5})});
  refuse({.sinks = normal_array({kv_heads}, 1)});
  refuse({.sinks = normal_array({1, heads}, 1)});
  refuse({.sinks = Array::from(std::vector<std::uint8_t>(heads), {heads})});
  refuse({.window = 3});
  refuse({.causal = true, .window = 0});
  refuse({.kv_length = 6});
  refuse({.kv_length = -1});
  const Operands half{normal_array({1, heads, 3, dim}, 1, DType::f16),
                      normal_array({1, kv_heads, 5, dim}, 2, DType::f16),
                      normal_array({1, kv_heads, 5, dim}, 3, DType::f16)};
  for (const DType wide : {DType::f32, DType::bf16}) {
    expect_refused([&] {
      scaled_dot_product_attention(half.q, half.k, half.v, {.mask = normal_array({5}, 1, wide)});
    });
    expect_refused([&] {
      scaled_dot_product_attention(half.q, half.k, half.v,
                                   {.sinks = normal_array({heads}, 1, wide)});
    });
  }
}

}  // namespace
}  // namespace clmx
