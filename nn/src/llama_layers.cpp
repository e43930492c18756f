#include "llama_layers.hpp"

#include <cmath>

#include "as_dtype.hpp"
#include "clmx/host/ops.hpp"

namespace clmx {

LlamaAttention::LlamaAttention(const LlamaConfig& config, Weights& weights, const std::string& path)
    : q_proj_(weights.linear(path + ".q_proj", config.hidden_size, config.heads * config.head_dim)),
      k_proj_(
          weights.linear(path + ".k_proj", config.hidden_size, config.kv_heads * config.head_dim)),
      v_proj_(
          weights.linear(path + ".v_proj", config.hidden_size, config.kv_heads * config.head_dim)),
      o_proj_(weights.linear(path + ".o_proj", config.heads * config.head_dim, config.hidden_size)),
      qkv_({&q_proj_, &k_proj_, &v_proj_}) {}

LlamaAttention::LlamaAttention(const LlamaAttention& other)
    : Module(other),
      q_proj_(other.q_proj_),
      k_proj_(other.k_proj_),
      v_proj_(other.v_proj_),
      o_proj_(other.o_proj_),
      qkv_(other.qkv_.over({&q_proj_, &k_proj_, &v_proj_})) {}

Array LlamaAttention::rotated_queries(const Array& x, KVCache& cache, const LlamaStep& step) const {
  const auto& [config, table, batch, offset, dtype, route] = step;
  const Stream& s = route.stream;
  const std::int64_t time = x.shape(0) / batch;
  if (qkv_.usable()) {
    const Array qkv = qkv_.product(x, dtype, route);
    return cache.append_rotated(qkv.reshape({batch, time, qkv.shape(1)}), table, s);
  }
  constexpr AttentionLayout layout = AttentionLayout::bthd;
  const Shape key_heads{batch, time, config.kv_heads, config.head_dim};
  const Array k = product_on(*k_proj_, x, dtype, route).reshape(key_heads);
  const Array v = product_on(*v_proj_, x, dtype, route).reshape(key_heads);
  cache.append(rope(k, table, offset, layout, s), v, layout, s);
  const Array q = product_on(*q_proj_, x, dtype, route);
  return rope(q.reshape({batch, time, config.heads, config.head_dim}), table, offset, layout, s);
}

Array LlamaAttention::forward(const Array& x, KVCache& cache, const LlamaStep& step) const {
  const auto& [config, table, batch, offset, dtype, route] = step;
  const Stream& s = route.stream;
  const AttentionOptions options{.scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim)),
                                 .causal = true,
                                 .layout = AttentionLayout::bthd};
  const Array q = rotated_queries(x, cache, step);
  const Array mixed = as_dtype(scaled_dot_product_attention(q, cache, options, s), dtype, s);
  const Array rows = mixed.reshape({x.shape(0), config.heads * config.head_dim});
  return product_on(*o_proj_, rows, dtype, route);
}

void LlamaAttention::visit(Visitor& v) {
  v.slot("q_proj", q_proj_);
  v.slot("k_proj", k_proj_);
  v.slot("v_proj", v_proj_);
  v.slot("o_proj", o_proj_);
}

void LlamaAttention::copy_to(const Stream& stream) const {
  if (!qkv_.usable()) return Module::copy_to(stream);
  qkv_.copy_to(stream);
  o_proj_->copy_to(stream);
}

LlamaMlp::LlamaMlp(const LlamaConfig& config, Weights& weights, const std::string& path)
    : gate_proj_(weights.linear(path + ".gate_proj", config.hidden_size, config.intermediate_size)),
      up_proj_(weights.linear(path + ".up_proj", config.hidden_size, config.intermediate_size)),
      down_proj_(weights.linear(path + ".down_proj", config.intermediate_size, config.hidden_size)),
      gate_up_({&gate_proj_, &up_proj_}) {}

LlamaMlp::LlamaMlp(const LlamaMlp& other)
    : Module(other),
      gate_proj_(other.gate_proj_),
      up_proj_(other.up_proj_),
      down_proj_(other.down_proj_),
      gate_up_(other.gate_up_.over({&gate_proj_, &up_proj_})) {}

Array LlamaMlp::forward(const Array& x, const LlamaStep& step) const {
  const Route& route = step.route;
  const Stream& s = route.stream;
  const DType dtype = step.dtype;
  const Array hidden = gate_up_.usable() ? swiglu_halves(gate_up_.product(x, dtype, route), s)
                                         : swiglu(product_on(*gate_proj_, x, dtype, route),
                                                  product_on(*up_proj_, x, dtype, route), s);
  return product_on(*down_proj_, hidden, dtype, route);
}

void LlamaMlp::visit(Visitor& v) {
  v.slot("gate_proj", gate_proj_);
  v.slot("up_proj", up_proj_);
  v.slot("down_proj", down_proj_);
}

void LlamaMlp::copy_to(const Stream& stream) const {
  if (!gate_up_.usable()) return Module::copy_to(stream);
  gate_up_.copy_to(stream);
  down_proj_->copy_to(stream);
}

LlamaBlock::LlamaBlock(const LlamaConfig& config, Weights& weights, const std::string& path)
    : self_attn_(config, weights, path + ".self_attn"),
      mlp_(config, weights, path + ".mlp"),
      input_layernorm_(
          weights.norm(path + ".input_layernorm", config.hidden_size, config.rms_norm_eps)),
      post_attention_layernorm_(weights.norm(path + ".post_attention_layernorm", config.hidden_size,
                                             config.rms_norm_eps)) {}

Array LlamaBlock::attend(const Array& x, KVCache& cache, const LlamaStep& step) const {
  const Stream& s = step.route.stream;
  return add(x, self_attn_.forward(input_layernorm_->normalized(x, step.dtype, s), cache, step), s);
}

Array LlamaBlock::transform(const Array& x, const LlamaStep& step) const {
  const Stream& s = step.route.stream;
  return add(x, mlp_.forward(post_attention_layernorm_->normalized(x, step.dtype, s), step), s);
}

void LlamaBlock::visit(Visitor& v) {
  v.child("self_attn", self_attn_);
  v.child("mlp", mlp_);
  v.slot("input_layernorm", input_layernorm_);
  v.slot("post_attention_layernorm", post_attention_layernorm_);
}

}  // namespace clmx
