#pragma once

#include <memory>

#include "clmx/nn/config.hpp"
#include "clmx/nn/linear.hpp"
#include "clmx/nn/norm.hpp"
#include "fused_linear.hpp"
#include "weights.hpp"

namespace clmx {

/// What the parts of one forward share.
struct LlamaStep {
  const LlamaConfig& config;
  const RopeTable& rope;
  std::int64_t offset;  ///< position of the first row
  DType dtype;
  Route route;  ///< of the part that is computed now
};

/// Grouped-head attention with rotary positions over a cache. x: [T, hidden].
class LlamaAttention final : public Module {
 public:
  LlamaAttention(const LlamaConfig& config, Weights& weights, const std::string& path);
  Array forward(const Array& x, KVCache& cache, const LlamaStep& step) const;
  void visit(Visitor& v) override;

 private:
  /// Appends x's keys and values to the cache; [1, T, heads, head_dim].
  Array rotated_queries(const Array& x, KVCache& cache, const LlamaStep& step) const;

  Slot<LinearLayer> q_proj_, k_proj_, v_proj_, o_proj_;
  FusedLinear qkv_;
};

/// down(silu(gate(x)) * up(x)). x: [T, hidden].
class LlamaMlp final : public Module {
 public:
  LlamaMlp(const LlamaConfig& config, Weights& weights, const std::string& path);
  Array forward(const Array& x, const LlamaStep& step) const;
  void visit(Visitor& v) override;

 private:
  Slot<LinearLayer> gate_proj_, up_proj_, down_proj_;
  FusedLinear gate_up_;
};

/// One decoder layer: both parts behind their norms, added to what came in.
class LlamaBlock final : public Module {
 public:
  LlamaBlock(const LlamaConfig& config, Weights& weights, const std::string& path);
  /// x + attention(norm(x)).
  Array attend(const Array& x, KVCache& cache, const LlamaStep& step) const;
  /// x + mlp(norm(x)).
  Array transform(const Array& x, const LlamaStep& step) const;
  void visit(Visitor& v) override;

 private:
  LlamaAttention self_attn_;
  LlamaMlp mlp_;
  std::unique_ptr<RMSNorm> input_layernorm_, post_attention_layernorm_;
};

}  // namespace clmx
