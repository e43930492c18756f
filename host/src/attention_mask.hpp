#pragma once

#include <array>
#include <vector>

#include "clmx/host/ops_transformer.hpp"

namespace clmx {

/// What besides causal decides about the keys of an attention: the constants and arguments of
/// cl/common/attention_mask.clh.
class AttentionMask {
 public:
  /// `scores`: [B, Hq, Lq, Lk]; `result`: the dtype of the result. Throws ArgumentError as
  /// scaled_dot_product_attention says.
  AttentionMask(const AttentionOptions& options, const Shape& scores, DType result);

  /// Whether there is anything: otherwise causal alone decides.
  bool any() const { return mask_ || sinks_ || windowed_; }
  void add_constants(Constants& constants) const;
  void add_arguments(std::vector<KernelArgument>& arguments, const Stream& stream) const;

 private:
  std::optional<Array> mask_, sinks_;
  std::array<std::int64_t, 4> steps_{};  ///< of the mask along batch, head, query, key
  std::int64_t window_ = 0;
  bool windowed_ = false;
};

}  // namespace clmx
