#include "shadow_tap.hpp"

#include <algorithm>
#include <cmath>

#include "clmx/devices/error.hpp"
#include "reference.hpp"

namespace clmx {
namespace {

/// Their float64 sum or product; the references of these two round as kernels do.
DoubleArray elementwise(const Doubles& in, bool sum) {
  const Shape shape = broadcast(in[0].shape, in[1].shape, "compare");
  require(in[0].shape == shape && in[1].shape == shape, "compare",
          "a model's sums and products have equal shapes here, not ", in[0].shape, " and ",
          in[1].shape);
  DoubleArray out = in[0];
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    const double b = in[1].values[i];
    out.values[i] = sum ? out.values[i] + b : out.values[i] * b;
  }
  return out;
}

DoubleArray as_shadow(Expected expected) {
  return {expected.shape, DType::f32, std::move(expected.values)};
}

DoubleArray exact_result(const std::string& name, const std::any& options, const Doubles& in) {
  if (name == "add" || name == "multiply") return elementwise(in, name == "add");
  return as_shadow(op_named(name).reference(in, options).front());
}

/// |a - b| / |b|.
double distance(const DoubleArray& a, const DoubleArray& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    difference += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
    size += b.values[i] * b.values[i];
  }
  return size > 0 ? std::sqrt(difference / size) : std::sqrt(difference);
}

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

struct Rotated {
  Expected queries, keys;
  DoubleArray values;
};

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

/// Position (b, head, time) of a cache [batch, heads, capacity, dim].
std::size_t cache_at(const Shape& cache, std::int64_t b, std::int64_t head, std::int64_t time) {
  return static_cast<std::size_t>(((b * cache[1] + head) * cache[2] + time) * cache[3]);
}

/// The rows from position `length` on of a cache, as [batch, time, heads, dim].
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

/// Writes rows [batch, time, heads, dim] into the cache from position `length` on.
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

/// The cache in another capacity.
DoubleArray resized(const DoubleArray& cache, const Shape& shape, std::int64_t length) {
  DoubleArray grown{shape, DType::f32,
                    std::vector<double>(static_cast<std::size_t>(shape.elements()))};
  if (length > 0) write_rows(grown, rows_of(cache, 0, length), 0);
  return grown;
}

/// [a; b] along the rows of two matrices.
DoubleArray stacked(const DoubleArray& a, const DoubleArray& b) {
  DoubleArray both{a.shape.with(0, 2 * a.shape[0]), a.dtype, a.values};
  both.values.insert(both.values.end(), b.values.begin(), b.values.end());
  return both;
}

}  // namespace

const DoubleArray* ShadowTap::find(const Array& array) const {
  const auto found = shadows_.find(key_of(array));
  const bool same = found != shadows_.end() && found->second.array.size() == array.size();
  return same ? &found->second.values : nullptr;
}

const DoubleArray& ShadowTap::shadow_of(const Array& array) const {
  const DoubleArray* const found = find(array);
  require(found != nullptr, "compare", "an array has no shadow");
  return *found;
}

Doubles ShadowTap::shadows_of(std::span<const Array> inputs) const {
  Doubles all;
  for (const Array& input : inputs) {
    const DoubleArray* const shadow = find(input);
    all.push_back(shadow == nullptr ? widen(input)
                                    : DoubleArray{input.shape(), input.dtype(), shadow->values});
  }
  return all;
}

void ShadowTap::op(std::string_view name, const std::any& options, std::span<const Array> inputs,
                   const Array& output) {
  if (name == "kv_append") return append(options, inputs, output);
  if (name == "kv_append_rotated") return append_rotated(options, inputs, output);
  if (name == "cached_attention") return attend(options, inputs, output);
  const bool matrix = name == "quantized_matmul" && inputs[0].rank() == 2 && find(inputs[0]);
  if (matrix) return product(options, inputs, output);
  compute(std::string(name), options, inputs, output);
}

void ShadowTap::compute(const std::string& name, const std::any& options,
                        std::span<const Array> inputs, const Array& output) {
  const Op& op = op_named(name);
  const bool has_shadow =
      std::ranges::any_of(inputs, [&](const Array& input) { return find(input) != nullptr; });
  const Expected local = op.reference(widen(Inputs(inputs.begin(), inputs.end())), options).front();
  record(name, output, local,
         has_shadow ? exact_result(name, options, shadows_of(inputs)) : as_shadow(local));
}

// Both products in one, as decoding the weight costs most of it.
void ShadowTap::product(const std::any& options, std::span<const Array> inputs,
                        const Array& output) {
  Doubles in = widen(Inputs(inputs.begin(), inputs.end()));
  in[0] = stacked(in[0], *find(inputs[0]));
  Expected both = op_named("quantized_matmul").reference(in, options).front();
  const auto half = static_cast<std::ptrdiff_t>(both.values.size() / 2);
  DoubleArray shadow{output.shape(), DType::f32, {both.values.begin() + half, both.values.end()}};
  both.shape = output.shape();
  both.values.resize(static_cast<std::size_t>(half));
  both.budget.resize(static_cast<std::size_t>(half));
  record("quantized_matmul", output, both, std::move(shadow));
}

void ShadowTap::put(const DoubleArray& keys, const DoubleArray& values, std::int64_t length,
                    const Array& stored) {
  Cache& cache = caches_[part_];
  if (cache.keys.shape != stored.shape()) {
    cache.keys = resized(cache.keys, stored.shape(), length);
    cache.values = resized(cache.values, stored.shape(), length);
  }
  write_rows(cache.keys, keys, length);
  write_rows(cache.values, values, length);
}

void ShadowTap::append(const std::any& options, std::span<const Array> inputs, const Array& keys) {
  const auto& given = std::any_cast<const KVAppendOptions&>(options);
  require(given.layout == AttentionLayout::bthd, "compare", "a cache is filled by [b, t, h, d]");
  const Doubles exact = shadows_of(inputs);
  put(exact[0], exact[1], given.length, keys);
}

void ShadowTap::append_rotated(const std::any& options, std::span<const Array> inputs,
                               const Array& keys) {
  const auto& given = std::any_cast<const KVAppendOptions&>(options);
  const Doubles tables{widen(inputs[1]), widen(inputs[2])};
  const Rotated own = rotated(widen(inputs[0]), tables, given, keys.shape());
  const Rotated exact = rotated(shadows_of(inputs)[0], tables, given, keys.shape());
  put(as_shadow(exact.keys), exact.values, given.length, keys);
  caches_[part_].queries = as_shadow(exact.queries);
  const DoubleArray written = rows_of(widen(keys), given.length, inputs[0].shape(1));
  ShadowOp seen{part_, "kv_append_rotated", join(inputs[0].shape()), {}, 0};
  seen.local.add(written, own.keys, false);
  seen.accumulated = distance(written, as_shadow(exact.keys));
  ops_.push_back(std::move(seen));
}

void ShadowTap::attend(const std::any& options, std::span<const Array> inputs,
                       const Array& output) {
  const Op& op = op_named("cached_attention");
  const Cache& cache = caches_[part_];
  Doubles exact = shadows_of(inputs);
  if (find(inputs[0]) == nullptr) exact[0].values = cache.queries.values;
  exact[1].values = cache.keys.values;
  exact[2].values = cache.values.values;
  const Expected local = op.reference(widen(Inputs(inputs.begin(), inputs.end())), options).front();
  record("cached_attention", output, local, as_shadow(op.reference(exact, options).front()));
}

void ShadowTap::record(const std::string& name, const Array& output, const Expected& local,
                       DoubleArray shadow) {
  require(local.shape == output.shape(), "compare", name, " gave ", output.shape(), " instead of ",
          local.shape);
  const DoubleArray got = widen(output);
  ShadowOp seen{part_, name, join(output.shape()), {}, distance(got, shadow)};
  seen.local.add(got, local, false);
  ops_.push_back(std::move(seen));
  shadows_.insert_or_assign(key_of(output), Shadow{output, std::move(shadow)});
}

}  // namespace clmx
