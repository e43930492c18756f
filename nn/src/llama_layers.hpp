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
  std::int64_t batch;   ///< sequences
  std::int64_t offset;  ///< position of each one's first row
  DType dtype;
  Route route;  ///< of the part that is computed now
};

/// Grouped-head attention with rotary positions over a cache. x: [batch T, hidden].
class LlamaAttention final : public Module {
 public:
  LlamaAttention(const LlamaConfig& config, Weights& weights, const std::string& path);
  LlamaAttention(const LlamaAttention& other);
  Array forward(const Array& x, KVCache& cache, const LlamaStep& step) const;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override { return std::make_unique<LlamaAttention>(*this); }
  std::string describe() const override { return "LlamaAttention"; }
  /// The joined weights instead of the layers', where forward multiplies by them.
  void copy_to(const Stream& stream) const override;

 private:
  /// Appends x's keys and values to the cache; [batch, T, heads, head_dim].
  Array rotated_queries(const Array& x, KVCache& cache, const LlamaStep& step) const;

  Slot<LinearLayer> q_proj_, k_proj_, v_proj_, o_proj_;
  FusedLinear qkv_;
};

/// down(silu(gate(x)) * up(x)). x: [batch T, hidden].
class LlamaMlp final : public Module {
 public:
  LlamaMlp(const LlamaConfig& config, Weights& weights, const std::string& path);
  LlamaMlp(const LlamaMlp& other);
  Array forward(const Array& x, const LlamaStep& step) const;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override { return std::make_unique<LlamaMlp>(*this); }
  std::string describe() const override { return "LlamaMlp"; }
  /// As LlamaAttention.
  void copy_to(const Stream& stream) const override;

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
  std::unique_ptr<Module> clone() const override { return std::make_unique<LlamaBlock>(*this); }
  std::string describe() const override { return "LlamaBlock"; }

 private:
  LlamaAttention self_attn_;
  LlamaMlp mlp_;
  Slot<RMSNorm> input_layernorm_, post_attention_layernorm_;
};

}  // namespace clmx
