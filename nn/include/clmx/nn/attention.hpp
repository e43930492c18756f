#pragma once

#include <cstdint>
#include <optional>

#include "clmx/host/ops_transformer.hpp"
#include "clmx/nn/linear.hpp"

namespace clmx {

/// Sizes of MultiHeadAttention; absent ones are `dims` (value_input_dims: key_input_dims) and
/// num_heads, as in MLX.
struct MultiHeadAttentionOptions {
  std::int64_t dims = 0, num_heads = 0;
  std::optional<std::int64_t> query_input_dims = {}, key_input_dims = {}, value_input_dims = {};
  std::optional<std::int64_t> value_dims = {}, value_output_dims = {};
  /// Grouped heads: the keys and values have this many, each serving num_heads / num_kv_heads.
  std::optional<std::int64_t> num_kv_heads = {};
  bool bias = false;
  bool sinks = false;                    ///< a parameter `sinks`, [num_heads], zero at first
  std::optional<RopeOptions> rope = {};  ///< rotates queries and keys; its layout is not read
};

/// Attention with projections query_proj, key_proj, value_proj, out_proj (MLX's names), which
/// quantize(module) replaces.
class MultiHeadAttention final : public Module {
 public:
  /// Random projections from the seed. Throws ArgumentError, naming the field, for sizes that are
  /// not positive or that the heads do not divide, and for a rope that heads are too small for.
  explicit MultiHeadAttention(const MultiHeadAttentionOptions& options, std::uint64_t seed = 0);

  /// queries: [B, Tq, query_input_dims]; keys: [B, Tk, key_input_dims]; values: [B, Tk,
  /// value_input_dims]. mask as scaled_dot_product_attention's. Result: [B, Tq, value_output_dims].
  Array forward(const Array& queries, const Array& keys, const Array& values,
                const std::optional<Array>& mask = {}, StreamOrDevice s = {}) const;
  /// Self-attention over what was said before: appends x's keys and values to the cache (of
  /// new_cache) and sees it causally. x: [B, T, dims of all three inputs]. The cache is as it was
  /// when this throws.
  Array forward(const Array& x, KVCache& cache, StreamOrDevice s = {}) const;
  /// A mask that hides the keys after each of n queries: [n, n] of dtype, 0 and its least finite
  /// number. Throws ArgumentError unless dtype is float and n not negative.
  static Array create_additive_causal_mask(std::int64_t n, DType dtype = DType::f32);
  /// For at most `positions` positions. Throws ArgumentError when keys and values have different
  /// sizes of heads.
  KVCache new_cache(std::int64_t batch, std::int64_t positions, DType dtype = DType::f32) const;

  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override {
    return std::make_unique<MultiHeadAttention>(*this);
  }
  std::string describe() const override;

 private:
  /// A projection of x, its heads apart: [B, T, heads, size].
  static Array heads_of(const Slot<LinearLayer>& projection, const char* input, const Array& x,
                        std::int64_t heads, const Stream& stream);
  /// Replaced ones, too, have to fit before anything is computed.
  void check_projections() const;
  Array rotated(const Array& x, std::int64_t offset, const Stream& stream) const;
  AttentionOptions attention() const;
  Array projected(const Array& mixed, const Stream& stream) const;

  MultiHeadAttentionOptions options_;
  Slot<LinearLayer> query_proj_, key_proj_, value_proj_, out_proj_;
  std::optional<Array> sinks_;
};

}  // namespace clmx
