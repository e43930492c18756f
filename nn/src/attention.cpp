#include "clmx/nn/attention.hpp"

#include <cmath>

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

MultiHeadAttentionOptions checked(const MultiHeadAttentionOptions& o) {
  require_positive(o.dims, layer, "dims");
  require_positive(o.num_heads, layer, "num_heads");
  const Sizes sizes = sizes_of(o);
  require_positive(sizes.value_dims, layer, "value_dims");
  require_positive(sizes.kv_heads, layer, "num_kv_heads");
  require(o.dims % o.num_heads == 0, layer, "num_heads (", o.num_heads, ") must divide dims (",
          o.dims, ")");
  require(sizes.value_dims % o.num_heads == 0, layer, "num_heads (", o.num_heads,
          ") must divide value_dims (", sizes.value_dims, ")");
  require(o.num_heads % sizes.kv_heads == 0, layer, "num_kv_heads (", sizes.kv_heads,
          ") must divide num_heads (", o.num_heads, ")");
  return o;
}

std::unique_ptr<LinearLayer> projection(std::int64_t in, std::int64_t out, std::uint64_t seed,
                                        bool bias) {
  return std::make_unique<Linear>(Linear::random(in, out, seed, bias));
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(const MultiHeadAttentionOptions& options, std::uint64_t seed)
    : options_(checked(options)) {
  const Sizes sizes = sizes_of(options);
  const std::int64_t key_dims = options.dims / options.num_heads * sizes.kv_heads;
  const std::int64_t value_dims = sizes.value_dims / options.num_heads * sizes.kv_heads;
  const std::uint64_t first = 4 * seed;
  query_proj_ = projection(sizes.queries, options.dims, first, options.bias);
  key_proj_ = projection(sizes.keys, key_dims, first + 1, options.bias);
  value_proj_ = projection(sizes.values, value_dims, first + 2, options.bias);
  out_proj_ = projection(sizes.value_dims, sizes.output, first + 3, options.bias);
  if (!options.sinks) return;
  const std::vector<float> zeros(static_cast<std::size_t>(options.num_heads));
  sinks_ = Array::from(zeros, {options.num_heads});
}

Array MultiHeadAttention::heads_of(const Slot<LinearLayer>& projection, const Array& x,
                                   std::int64_t heads, const Stream& stream) {
  require(x.rank() == 3, layer, "inputs must have shape [batch, time, dims], not ", x.shape());
  const Array y = projection->forward(x, stream);
  return y.reshape({x.shape(0), x.shape(1), heads, y.shape(2) / heads});
}

Array MultiHeadAttention::rotated(const Array& x, std::int64_t offset, const Stream& stream) const {
  if (!options_.rope) return x;
  RopeOptions rope_options = *options_.rope;
  rope_options.layout = AttentionLayout::bthd;
  rope_options.offset += offset;
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

Array MultiHeadAttention::forward(const Array& queries, const Array& keys, const Array& values,
                                  const std::optional<Array>& mask, StreamOrDevice s) const {
  const Stream stream = s.resolve();
  const std::int64_t kv_heads = sizes_of(options_).kv_heads;
  AttentionOptions how = attention();
  how.mask = mask;
  const Array q = rotated(heads_of(query_proj_, queries, options_.num_heads, stream), 0, stream);
  const Array k = rotated(heads_of(key_proj_, keys, kv_heads, stream), 0, stream);
  const Array v = heads_of(value_proj_, values, kv_heads, stream);
  return projected(scaled_dot_product_attention(q, k, v, how, stream), stream);
}

Array MultiHeadAttention::forward(const Array& x, KVCache& cache, StreamOrDevice s) const {
  const Stream stream = s.resolve();
  const std::int64_t kv_heads = sizes_of(options_).kv_heads, offset = cache.length();
  AttentionOptions how = attention();
  how.causal = true;
  const Array q = rotated(heads_of(query_proj_, x, options_.num_heads, stream), offset, stream);
  const Array k = rotated(heads_of(key_proj_, x, kv_heads, stream), offset, stream);
  cache.append(k, heads_of(value_proj_, x, kv_heads, stream), AttentionLayout::bthd, stream);
  return projected(scaled_dot_product_attention(q, cache, how, stream), stream);
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
  return join("MultiHeadAttention(dims=", options_.dims, ", num_heads=", options_.num_heads, ")");
}

}  // namespace clmx
