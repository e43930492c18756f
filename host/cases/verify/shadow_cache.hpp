#pragma once

#include "op_case.hpp"

namespace clmx {

/// Queries and keys after rotation, and values, of one fused projection.
struct Rotated {
  Expected queries, keys;
  DoubleArray values;
};
/// qkv: [batch, time, (heads + 2 kv_heads) * dim]; tables: cos and sin; cache: the shape of the
/// keys' cache, [batch, kv_heads, capacity, dim].
Rotated rotated(const DoubleArray& qkv, const Doubles& tables, const KVAppendOptions& options,
                const Shape& cache);

/// The rows from position `length` on of a cache, as [batch, time, heads, dim].
DoubleArray rows_of(const DoubleArray& cache, std::int64_t length, std::int64_t time);
/// Writes rows [batch, time, heads, dim] into the cache from position `length` on.
void write_rows(DoubleArray& cache, const DoubleArray& rows, std::int64_t length);
/// The cache in another capacity.
DoubleArray resized(const DoubleArray& cache, const Shape& shape, std::int64_t length);

}  // namespace clmx
