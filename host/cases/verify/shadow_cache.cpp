#include "shadow_cache.hpp"

#include <algorithm>

#include "reference.hpp"

namespace clmx {
namespace {

/// Heads [first, first + count) of rows [batch, time, heads * dim].
DoubleArray heads_of(const DoubleArray& rows, std::int64_t first, std::int64_t count,
                     std::int64_t dim) {
  const std::int64_t width = rows.shape[-1];
  DoubleArray part{Shape{rows.shape[0], rows.shape[1], count, dim}, rows.dtype, {}};
  for (std::int64_t row = 0; row < rows.shape[0] * rows.shape[1]; ++row) {
    const auto at = rows.values.begin() + row * width + first * dim;
    part.values.insert(part.values.end(), at, at + count * dim);
  }
  return part;
}

/// Position (b, head, time) of a cache [batch, heads, capacity, dim].
std::size_t cache_at(const Shape& cache, std::int64_t b, std::int64_t head, std::int64_t time) {
  return static_cast<std::size_t>(((b * cache[1] + head) * cache[2] + time) * cache[3]);
}

}  // namespace

Rotated rotated(const DoubleArray& qkv, const Doubles& tables, const KVAppendOptions& options,
                const Shape& cache) {
  const std::int64_t kv_heads = cache[1], dim = cache[3];
  const std::int64_t heads = qkv.shape[-1] / dim - 2 * kv_heads;
  const RopeTableOptions rope{static_cast<int>(2 * tables[0].shape[-1]), options.traditional,
                              options.length, AttentionLayout::bthd};
  return {reference::rope_table(heads_of(qkv, 0, heads, dim), tables[0], tables[1], rope),
          reference::rope_table(heads_of(qkv, heads, kv_heads, dim), tables[0], tables[1], rope),
          heads_of(qkv, heads + kv_heads, kv_heads, dim)};
}

DoubleArray rows_of(const DoubleArray& cache, std::int64_t length, std::int64_t time) {
  DoubleArray rows{Shape{cache.shape[0], time, cache.shape[1], cache.shape[3]}, cache.dtype, {}};
  for (std::int64_t b = 0; b < cache.shape[0]; ++b) {
    for (std::int64_t t = 0; t < time; ++t) {
      for (std::int64_t h = 0; h < cache.shape[1]; ++h) {
        const auto from = cache.values.begin() +
                          static_cast<std::ptrdiff_t>(cache_at(cache.shape, b, h, length + t));
        rows.values.insert(rows.values.end(), from, from + cache.shape[3]);
      }
    }
  }
  return rows;
}

void write_rows(DoubleArray& cache, const DoubleArray& rows, std::int64_t length) {
  const std::int64_t time = rows.shape[1], heads = rows.shape[2], dim = rows.shape[3];
  auto from = rows.values.begin();
  for (std::int64_t b = 0; b < rows.shape[0]; ++b) {
    for (std::int64_t t = 0; t < time; ++t) {
      for (std::int64_t h = 0; h < heads; ++h, from += dim) {
        std::copy_n(from, dim,
                    cache.values.begin() +
                        static_cast<std::ptrdiff_t>(cache_at(cache.shape, b, h, length + t)));
      }
    }
  }
}

DoubleArray resized(const DoubleArray& cache, const Shape& shape, std::int64_t length) {
  DoubleArray grown{shape, DType::f32,
                    std::vector<double>(static_cast<std::size_t>(shape.elements()))};
  if (length > 0) write_rows(grown, rows_of(cache, 0, length), 0);
  return grown;
}

}  // namespace clmx
