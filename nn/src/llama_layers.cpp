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

Array LlamaAttention::rotated_queries(const Array& x, KVCache& cache, const LlamaStep& step) const {
  const auto& [config, table, offset, dtype, s] = step;
  const std::int64_t time = x.shape(0);
  if (qkv_.usable()) {
    const Array qkv = qkv_.product(x, dtype, s);
    return cache.append_rotated(qkv.reshape({1, time, qkv.shape(1)}), table, s);
  }
  constexpr AttentionLayout layout = AttentionLayout::bthd;
  const Shape key_heads{1, time, config.kv_heads, config.head_dim};
  const Array k = k_proj_->product(x, dtype, s).reshape(key_heads);
  const Array v = v_proj_->product(x, dtype, s).reshape(key_heads);
  cache.append(rope(k, table, offset, layout, s), v, layout, s);
  const Array q = q_proj_->product(x, dtype, s);
  return rope(q.reshape({1, time, config.heads, config.head_dim}), table, offset, layout, s);
}

Array LlamaAttention::forward(const Array& x, KVCache& cache, const LlamaStep& step) const {
  const auto& [config, table, offset, dtype, s] = step;
  const AttentionOptions options{.scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim)),
                                 .causal = true,
                                 .layout = AttentionLayout::bthd};
  const Array q = rotated_queries(x, cache, step);
  const Array mixed = as_dtype(scaled_dot_product_attention(q, cache, options, s), dtype, s);
  return o_proj_->product(mixed.reshape({x.shape(0), config.heads * config.head_dim}), dtype, s);
}

void LlamaAttention::visit(Visitor& v) {
  v.slot("q_proj", q_proj_);
  v.slot("k_proj", k_proj_);
  v.slot("v_proj", v_proj_);
  v.slot("o_proj", o_proj_);
}

LlamaMlp::LlamaMlp(const LlamaConfig& config, Weights& weights, const std::string& path)
    : gate_proj_(weights.linear(path + ".gate_proj", config.hidden_size, config.intermediate_size)),
      up_proj_(weights.linear(path + ".up_proj", config.hidden_size, config.intermediate_size)),
      down_proj_(weights.linear(path + ".down_proj", config.intermediate_size, config.hidden_size)),
      gate_up_({&gate_proj_, &up_proj_}) {}

Array LlamaMlp::forward(const Array& x, const LlamaStep& step) const {
  const auto& [config, table, offset, dtype, s] = step;
  const Array hidden = gate_up_.usable() ? swiglu_halves(gate_up_.product(x, dtype, s), s)
                                         : swiglu(gate_proj_->product(x, dtype, s),
                                                  up_proj_->product(x, dtype, s), s);
  return down_proj_->product(hidden, dtype, s);
}

void LlamaMlp::visit(Visitor& v) {
  v.slot("gate_proj", gate_proj_);
  v.slot("up_proj", up_proj_);
  v.slot("down_proj", down_proj_);
}

LlamaBlock::LlamaBlock(const LlamaConfig& config, Weights& weights, const std::string& path)
    : self_attn_(config, weights, path + ".self_attn"),
      mlp_(config, weights, path + ".mlp"),
      input_layernorm_(
          weights.norm(path + ".input_layernorm", config.hidden_size, config.rms_norm_eps)),
      post_attention_layernorm_(weights.norm(path + ".post_attention_layernorm", config.hidden_size,
                                             config.rms_norm_eps)) {}

Array LlamaBlock::forward(const Array& x, KVCache& cache, const LlamaStep& step) const {
  const auto& [config, table, offset, dtype, s] = step;
  const Array attended =
      add(x, self_attn_.forward(input_layernorm_->normalized(x, dtype, s), cache, step), s);
  return add(attended,
             mlp_.forward(post_attention_layernorm_->normalized(attended, dtype, s), step), s);
}

void LlamaBlock::visit(Visitor& v) {
  v.child("self_attn", self_attn_);
  v.child("mlp", mlp_);
  v.child("input_layernorm", *input_layernorm_);
  v.child("post_attention_layernorm", *post_attention_layernorm_);
}

}  // namespace clmx
