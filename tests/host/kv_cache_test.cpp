#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops_support.hpp"

namespace clmx {
namespace {

using namespace testing_support;

constexpr std::int64_t heads = 6, kv_heads = 2, dim = 48;

/// Rows [begin, end) of a [1, time, heads, dim] array.
Array at_times(const Array& x, std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> sizes(x.shape().sizes().begin(), x.shape().sizes().end());
  const Shape without_batch{std::span<const std::int64_t>(sizes).subspan(1)};
  sizes[1] = end - begin;
  return x.reshape(without_batch)
      .rows(begin, end)
      .reshape(Shape{std::span<const std::int64_t>(sizes)});
}

/// Element (head, t, d) of a cache of batch 1.
float at(const std::vector<float>& values, const KVCache& cache, std::int64_t head, std::int64_t t,
         std::int64_t d) {
  return values[static_cast<std::size_t>((head * cache.capacity() + t) * dim + d)];
}

TEST(KVCache, KeepsWhatWasAppendedWhileItGrows) {
  const Array k = normal_array({1, 150, kv_heads, dim}, 1);
  const Array v = normal_array({1, 150, kv_heads, dim}, 2);
  const auto k_values = floats_of(k), v_values = floats_of(v);
  for (const Device& device : test_devices()) {
    KVCache cache(1, kv_heads, dim, 300);
    EXPECT_EQ(cache.capacity(), 0);
    for (const auto& [begin, end] : {std::pair{0, 60}, {60, 61}, {61, 150}})
      cache.append(at_times(k, begin, end), at_times(v, begin, end), AttentionLayout::bthd, device);
    EXPECT_EQ(cache.length(), 150);
    EXPECT_GE(cache.capacity(), 150);
    const auto keys = floats_of(cache.keys()), values = floats_of(cache.values());
    for (std::int64_t t = 0; t < 150; t++)
      for (std::int64_t i = 0; i < kv_heads * dim; i++) {
        const auto from = static_cast<std::size_t>(t * kv_heads * dim + i);
        ASSERT_EQ(at(keys, cache, i / dim, t, i % dim), k_values[from]) << device.info().selector;
        ASSERT_EQ(at(values, cache, i / dim, t, i % dim), v_values[from]);
      }
  }
}

TEST(KVCache, TakesEitherLayoutAndRoundsToItsType) {
  const Array k = normal_array({2, kv_heads, 5, dim}, 3),
              v = normal_array({2, kv_heads, 5, dim}, 4);
  for (const Device& device : test_devices())
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
      KVCache cache(2, kv_heads, dim, 5, type);
      cache.append(k, v, AttentionLayout::bhtd, device);
      EXPECT_EQ(cache.capacity(), 5);  // the limit
      EXPECT_EQ(bits_of(cache.keys()), bits_of(cast(k, type, device)));
      EXPECT_EQ(bits_of(cache.values()), bits_of(cast(v, type, device)));
    }
}

TEST(KVCache, RotatesAndAppendsAFusedProjectionWithTheBitsOfTheParts) {
  constexpr std::int64_t all = heads + 2 * kv_heads, time = 9;
  const RopeTable table = make_rope_table({.dims = 40}, 64);
  for (const Device& device : test_devices())
    for (const DType type : {DType::f32, DType::f16}) {
      const Array qkv = normal_array({1, time, all * dim}, 5, type);
      const auto values = floats_of(qkv);
      const auto part = [&](std::int64_t first, std::int64_t count_of) {
        std::vector<float> out;
        for (std::int64_t t = 0; t < time; t++) {
          const auto from = values.begin() + (t * all + first) * dim;
          out.insert(out.end(), from, from + count_of * dim);
        }
        return float_array(out, {1, time, count_of, dim}, type);
      };
      KVCache fused(1, kv_heads, dim, 64, type), apart(1, kv_heads, dim, 64, type);
      const Array before = normal_array({1, 3, kv_heads, dim}, 6, type);
      fused.append(before, before, AttentionLayout::bthd, device);
      apart.append(before, before, AttentionLayout::bthd, device);

      const Array q = fused.append_rotated(qkv, table, device);
      apart.append(rope(part(heads, kv_heads), table, 3, AttentionLayout::bthd, device),
                   part(heads + kv_heads, kv_heads), AttentionLayout::bthd, device);
      EXPECT_EQ(bits_of(q), bits_of(rope(part(0, heads), table, 3, AttentionLayout::bthd, device)));
      const Array some = normal_array({1, heads, 1, dim}, 7);
      const AttentionOptions options{.scale = 0.2f};
      EXPECT_EQ(bits_of(scaled_dot_product_attention(some, fused, options, device)),
                bits_of(scaled_dot_product_attention(some, apart, options, device)))
          << device.info().selector;
    }
}

/// Attention of a sequence fed to a cache in chunks.
std::vector<std::uint32_t> fed_in_chunks(const Array& qkv, const RopeTable& table,
                                         const std::vector<std::int64_t>& chunks,
                                         const Device& device) {
  KVCache cache(1, kv_heads, dim, 200);
  std::vector<std::uint32_t> bits;
  const AttentionOptions options{.scale = 0.2f, .causal = true, .layout = AttentionLayout::bthd};
  std::int64_t begin = 0;
  for (const std::int64_t size : chunks) {
    const Array chunk = at_times(qkv, begin, begin + size);
    const Array q = cache.append_rotated(chunk, table, device);
    const auto part = bits_of(scaled_dot_product_attention(q, cache, options, device));
    bits.insert(bits.end(), part.begin(), part.end());
    begin += size;
  }
  return bits;
}

TEST(KVCache, PrefillInAnyChunksHasTheBitsOfDecodingOneByOne) {
  const Array qkv = normal_array({1, 140, (heads + 2 * kv_heads) * dim}, 8);
  const RopeTable table = make_rope_table({.dims = dim}, 200);
  std::vector<std::uint32_t> first;
  for (const Device& device : test_devices()) {
    const auto whole = fed_in_chunks(qkv, table, {140}, device);
    if (first.empty()) first = whole;
    EXPECT_EQ(whole, first) << device.info().selector;
    EXPECT_EQ(fed_in_chunks(qkv, table, {64, 1, 63, 12}, device), whole) << device.info().selector;
    if (is_slow(device)) continue;
    EXPECT_EQ(fed_in_chunks(qkv, table, std::vector<std::int64_t>(140, 1), device), whole)
        << device.info().selector;
  }
}

TEST(KVCache, ForgetsFromAPositionOn) {
  const Array k = normal_array({1, 10, kv_heads, dim}, 9), q = normal_array({1, heads, 1, dim}, 10);
  for (const Device& device : test_devices()) {
    KVCache cache(1, kv_heads, dim, 64), other(1, kv_heads, dim, 64);
    cache.append(k, k, AttentionLayout::bthd, device);
    cache.truncate(4);
    EXPECT_EQ(cache.length(), 4);
    other.append(at_times(k, 0, 4), at_times(k, 0, 4), AttentionLayout::bthd, device);
    EXPECT_EQ(bits_of(scaled_dot_product_attention(q, cache, {}, device)),
              bits_of(scaled_dot_product_attention(q, other, {}, device)));
    EXPECT_THROW(cache.truncate(5), ArgumentError);
    EXPECT_THROW(cache.truncate(-1), ArgumentError);
  }
}

TEST(KVCache, MovesToTheDeviceThatAppends) {
  const Array k = normal_array({1, 10, kv_heads, dim}, 11);
  const Array q = normal_array({1, heads, 1, dim}, 12);
  KVCache moving(1, kv_heads, dim, 64), staying(1, kv_heads, dim, 64);
  const Device last = test_devices().back();
  for (std::int64_t t = 0; t < 10; t++) {
    const auto devices = test_devices();
    const Device device = devices[static_cast<std::size_t>(t) % devices.size()];
    const Array row = at_times(k, t, t + 1);
    moving.append(row, row, AttentionLayout::bthd, device);
    staying.append(row, row, AttentionLayout::bthd, last);
  }
  EXPECT_EQ(bits_of(scaled_dot_product_attention(q, moving, {}, last)),
            bits_of(scaled_dot_product_attention(q, staying, {}, last)));
}

TEST(KVCache, TakesTheBatchOfItsFirstAppendAndNoOther) {
  const Array three = normal_array({3, 2, kv_heads, dim}, 14);
  const Array one = normal_array({1, 2, kv_heads, dim}, 15);
  KVCache cache(std::nullopt, kv_heads, dim, 2), fixed(3, kv_heads, dim, 2);
  EXPECT_EQ(cache.batch(), 0);
  expect_refused([&] { cache.append(normal_array({0, 1, kv_heads, dim}, 1), three, {}); });
  cache.append(three, three, AttentionLayout::bthd);
  fixed.append(three, three, AttentionLayout::bthd);
  EXPECT_EQ(cache.batch(), 3);
  EXPECT_EQ(bits_of(cache.keys()), bits_of(fixed.keys()));
  cache.truncate(0);
  try {
    cache.append(one, one, AttentionLayout::bthd);
    ADD_FAILURE() << "another batch was taken";
  } catch (const ArgumentError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("a batch of 1, the cache holds a batch of 3"));
  }
}

TEST(KVCache, ContinuesWithAssignedPositionsAndWritesNoneOfThem) {
  const Array k = normal_array({2, kv_heads, 10, dim}, 16);
  const Array v = normal_array({2, kv_heads, 10, dim}, 17);
  const Array more = normal_array({2, 1, kv_heads, dim}, 18);
  const Array q = normal_array({2, heads, 1, dim}, 19);
  // A view that does not begin where its storage does.
  const Array both = normal_array({4, kv_heads, 10, dim}, 20);
  for (const Device& device : test_devices())
    for (const auto& [keys, values] : {std::pair{k, v}, {both.rows(2, 4), both.rows(0, 2)}}) {
      const auto before = bits_of(keys);
      KVCache wanted(2, kv_heads, dim, 64), cache(std::nullopt, kv_heads, dim, 64);
      wanted.append(keys, values, AttentionLayout::bhtd, device);
      cache.assign(keys, values);
      EXPECT_EQ(cache.length(), 10);
      for (KVCache* each : {&wanted, &cache}) {
        each->truncate(6);
        each->append(more, more, AttentionLayout::bthd, device);
      }
      EXPECT_EQ(bits_of(scaled_dot_product_attention(q, cache, {}, device)),
                bits_of(scaled_dot_product_attention(q, wanted, {}, device)))
          << device.info().selector;
      EXPECT_EQ(bits_of(keys), before) << device.info().selector;
    }
}

TEST(KVCache, RefusesToBeAssignedWhatItCannotHold) {
  const Array k = normal_array({2, kv_heads, 5, dim}, 21);
  const Array narrow = normal_array({2, kv_heads, 5, dim}, 21, DType::f16);
  KVCache cache(2, kv_heads, dim, 5), one(1, kv_heads, dim, 5), small(2, kv_heads, dim, 4);
  expect_refused([&] { one.assign(k, k); });
  expect_refused([&] { small.assign(k, k); });
  expect_refused([&] { cache.assign(k, normal_array({2, kv_heads, 4, dim}, 1)); });
  expect_refused([&] { cache.assign(k.reshape({2, kv_heads, 5 * dim}), k); });
  expect_refused([&] { cache.assign(k, narrow); });
  expect_refused([&] { cache.assign(narrow, narrow); });
  EXPECT_EQ(cache.length(), 0);
  cache.assign(k, k);
  EXPECT_EQ(cache.length(), 5);
}

TEST(KVCache, RefusesWrongArgumentsAndStaysAsItWas) {
  KVCache cache(1, kv_heads, dim, 8);
  const Array k = normal_array({1, 5, kv_heads, dim}, 13);
  cache.append(k, k, AttentionLayout::bthd);
  const RopeTable table = make_rope_table({.dims = dim}, 7);
  expect_refused([&] { cache.append(k, k, AttentionLayout::bthd); });
  expect_refused([&] { cache.append(k, k, AttentionLayout::bhtd); });
  expect_refused([&] { cache.append(k, at_times(k, 0, 1), AttentionLayout::bthd); });
  expect_refused([&] { cache.append_rotated(normal_array({1, 1, 4 * dim}, 1), table); });
  expect_refused([&] { cache.append_rotated(normal_array({1, 3, 8 * dim}, 1), table); });
  expect_refused([&] { cache.append_rotated(normal_array({1, 1, 8 * dim + 1}, 1), table); });
  expect_refused([] { KVCache(0, 1, 1, 1); });
  expect_refused([] { KVCache(1, 1, 1, 1, DType::u8); });
  EXPECT_EQ(cache.length(), 5);
}

}  // namespace
}  // namespace clmx
