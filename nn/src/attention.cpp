#include "clmx/nn/attention.hpp"

#include <cmath>
#include <limits>

#include "clmx/nn/rope.hpp"
#include "random_values.hpp"

namespace clmx {
namespace {

constexpr const char* layer = "MultiHeadAttention";

struct Sizes {
  std::int64_t queries, keys, values, value_dims, output, kv_heads;
};

Sizes sizes_of(const MultiHeadAttentionOptions& o) {
  const std::int64_t keys = o.key_input_dims.value_or(o.dims);
  return {o.query_input_dims.value_or(o.dims),  keys,
          o.value_input_dims.value_or(keys),    o.value_dims.value_or(o.dims),
          o.value_output_dims.value_or(o.dims), o.num_kv_heads.value_or(o.num_heads)};
}

void check_heads(const MultiHeadAttentionOptions& o, const Sizes& sizes) {
  require(o.dims % o.num_heads == 0, layer, "num_heads (", o.num_heads, ") must divide dims (",
          o.dims, ")");
  require(sizes.value_dims % o.num_heads == 0, layer, "num_heads (", o.num_heads,
          ") must divide value_dims (", sizes.value_dims, ")");
  require(o.num_heads % sizes.kv_heads == 0, layer, "num_kv_heads (", sizes.kv_heads,
          ") must divide num_heads (", o.num_heads, ")");
  if (!o.rope) return;
  static_cast<void>(RoPE(*o.rope));
  require(o.rope->dims <= o.dims / o.num_heads, layer, "rope.dims is ", o.rope->dims,
          ", a head has only ", o.dims / o.num_heads);
}

MultiHeadAttentionOptions checked(const MultiHeadAttentionOptions& o) {
  require_positive(o.dims, layer, "dims");
  require_positive(o.num_heads, layer, "num_heads");
  const Sizes sizes = sizes_of(o);
  require_positive(sizes.queries, layer, "query_input_dims");
  require_positive(sizes.keys, layer, "key_input_dims");
  require_positive(sizes.values, layer, "value_input_dims");
  require_positive(sizes.value_dims, layer, "value_dims");
  require_positive(sizes.output, layer, "value_output_dims");
  require_positive(sizes.kv_heads, layer, "num_kv_heads");
  check_heads(o, sizes);
  return o;
}

/// Before anything is enqueued: rope counts its positions in 64 bits.
void check_positions(const MultiHeadAttentionOptions& o, std::int64_t offset, const Array& x) {
  if (!o.rope || x.rank() != 3) return;  // heads_of says what is wrong with x
  static_cast<void>(moved(moved(*o.rope, offset), x.shape(1)));
}

std::unique_ptr<LinearLayer> projection(std::int64_t in, std::int64_t out, std::uint64_t seed,
                                        bool bias) {
  return std::make_unique<Linear>(Linear::random(in, out, seed, bias));
}

/// 0, and above the diagonal `hidden`.
template <class T>
Array causal_mask(std::int64_t n, T hidden) {
  std::vector<T> values = host_values({n, n}, T(0.0f));
  const auto size = static_cast<std::size_t>(n);
  for (std::size_t query = 0; query < size; ++query) {
    for (std::size_t key = query + 1; key < size; ++key) values[query * size + key] = hidden;
  }
  return Array::from(values, {n, n});
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(const MultiHeadAttentionOptions& options, std::uint64_t seed)
    : options_(checked(options)) {
  const Sizes sizes = sizes_of(options);
  const std::int64_t key_dims = options.dims / options.num_heads * sizes.kv_heads;
  const std::int64_t value_dims = sizes.value_dims / options.num_heads * sizes.kv_heads;
  const auto part = [&](int i) { return seed_of_part(seed, layer, i); };
  query_proj_ = projection(sizes.queries, options.dims, part(0), options.bias);
  key_proj_ = projection(sizes.keys, key_dims, part(1), options.bias);
  value_proj_ = projection(sizes.values, value_dims, part(2), options.bias);
  out_proj_ = projection(sizes.value_dims, sizes.output, part(3), options.bias);
  if (options.sinks) sinks_ = constant_array({options.num_heads}, 0);
}

Array MultiHeadAttention::heads_of(const Slot<LinearLayer>& projection, const char* input,
                                   const Array& x, std::int64_t heads, const Stream& stream) {
  require(x.rank() == 3 && x.shape(2) == projection->in_features(), layer, input,
          " must have shape [batch, time, ", projection->in_features(), "], not ", x.shape());
  const Array y = projection->forward(x, stream);
  return y.reshape({x.shape(0), x.shape(1), heads, y.shape(2) / heads});
}

Array MultiHeadAttention::rotated(const Array& x, std::int64_t offset, const Stream& stream) const {
  if (!options_.rope) return x;
  RopeOptions rope_options = moved(*options_.rope, offset);
  rope_options.layout = AttentionLayout::bthd;
  return rope(x, rope_options, stream);
}

AttentionOptions MultiHeadAttention::attention() const {
  const std::int64_t size = options_.dims / options_.num_heads;
  const auto head_dim = static_cast<float>(size);
  AttentionOptions result{.scale = 1.0f / std::sqrt(head_dim), .layout = AttentionLayout::bthd};
  result.sinks = sinks_;
  return result;
}

Array MultiHeadAttention::projected(const Array& mixed, const Stream& stream) const {
  return out_proj_->forward(
      mixed.reshape({mixed.shape(0), mixed.shape(1), mixed.shape(2) * mixed.shape(3)}), stream);
}

void MultiHeadAttention::check_projections() const {
  const Sizes sizes = sizes_of(options_);
  const std::int64_t head = options_.dims / options_.num_heads;
  const auto check = [](const Slot<LinearLayer>& projection, const char* name,
                        std::int64_t features, std::int64_t wanted, const char* side) {
    if (features == wanted) return;  // before a description is made
    require(false, layer, name, " has ", features, ' ', side, ", wanted are ", wanted, ": ",
            projection->describe());
  };
  check(query_proj_, "query_proj", query_proj_->out_features(), options_.dims, "rows");
  check(key_proj_, "key_proj", key_proj_->out_features(), head * sizes.kv_heads, "rows");
  check(value_proj_, "value_proj", value_proj_->out_features(),
        sizes.value_dims / options_.num_heads * sizes.kv_heads, "rows");
  check(out_proj_, "out_proj", out_proj_->in_features(), sizes.value_dims, "columns");
}

Array MultiHeadAttention::forward(const Array& queries, const Array& keys, const Array& values,
                                  const std::optional<Array>& mask, StreamOrDevice s) const {
  check_projections();
  for (const Array* input : {&queries, &keys}) check_positions(options_, 0, *input);
  const Stream stream = s.resolve();
  const std::int64_t kv_heads = sizes_of(options_).kv_heads;
  AttentionOptions how = attention();
  how.mask = mask;
  const Array q =
      rotated(heads_of(query_proj_, "queries", queries, options_.num_heads, stream), 0, stream);
  const Array k = rotated(heads_of(key_proj_, "keys", keys, kv_heads, stream), 0, stream);
  const Array v = heads_of(value_proj_, "values", values, kv_heads, stream);
  return projected(scaled_dot_product_attention(q, k, v, how, stream), stream);
}

Array MultiHeadAttention::forward(const Array& x, KVCache& cache, StreamOrDevice s) const {
  check_projections();
  check_positions(options_, cache.length(), x);
  const Stream stream = s.resolve();
  const std::int64_t kv_heads = sizes_of(options_).kv_heads, offset = cache.length();
  AttentionOptions how = attention();
  how.causal = true;
  const Array q =
      rotated(heads_of(query_proj_, "x", x, options_.num_heads, stream), offset, stream);
  const Array k = rotated(heads_of(key_proj_, "x", x, kv_heads, stream), offset, stream);
  const Array v = heads_of(value_proj_, "x", x, kv_heads, stream);
  cache.append(k, v, AttentionLayout::bthd, stream);
  try {
    return projected(scaled_dot_product_attention(q, cache, how, stream), stream);
  } catch (...) {
    cache.truncate(offset);  // what failed has not been said
    throw;
  }
}

Array MultiHeadAttention::create_additive_causal_mask(std::int64_t n, DType dtype) {
  require(n >= 0, layer, "a mask of ", n, " positions");
  require(is_float(dtype), layer, "a mask that is added must be float, not ", dtype);
  if (dtype == DType::f16) return causal_mask(n, Half(-65504.0f));
  if (dtype == DType::bf16) return causal_mask(n, BFloat16(-0x1.fep127f));
  return causal_mask(n, std::numeric_limits<float>::lowest());
}

KVCache MultiHeadAttention::new_cache(std::int64_t batch, std::int64_t positions,
                                      DType dtype) const {
  const Sizes sizes = sizes_of(options_);
  require(sizes.value_dims == options_.dims, layer,
          "a cache needs keys and values of one size, not heads of ",
          options_.dims / options_.num_heads, " and ", sizes.value_dims / options_.num_heads);
  return {batch, sizes.kv_heads, options_.dims / options_.num_heads, positions, dtype};
}

void MultiHeadAttention::visit(Visitor& v) {
  v.slot("query_proj", query_proj_);
  v.slot("key_proj", key_proj_);
  v.slot("value_proj", value_proj_);
  v.slot("out_proj", out_proj_);
  v.optional_parameter("sinks", sinks_);
}

std::string MultiHeadAttention::describe() const {
  const Sizes sizes = sizes_of(options_);
  return join("MultiHeadAttention(dims=", options_.dims, ", num_heads=", options_.num_heads,
              ", query_input_dims=", sizes.queries, ", key_input_dims=", sizes.keys,
              ", value_input_dims=", sizes.values, ", value_dims=", sizes.value_dims,
              ", value_output_dims=", sizes.output, ", num_kv_heads=", sizes.kv_heads,
              ", bias=", options_.bias ? "true" : "false",
              ", sinks=", options_.sinks ? "true" : "false",
              ", rope=", options_.rope ? RoPE(*options_.rope).describe() : "none", ")");
}

}  // namespace clmx
