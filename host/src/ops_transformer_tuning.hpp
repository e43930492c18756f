#pragma once

#include "ops_basic_tuning.hpp"

namespace clmx {

/// Ops on rows that are heads: whole rows per work-item; where not wide, `lanes` work-items share a
/// row.
struct HeadTuning {
  ShareTuning share;
  std::size_t lanes = 1;
};
HeadTuning choose_heads(const DeviceInfo& device, std::int64_t rows, std::int64_t dim);
Grid head_grid(const HeadTuning& tuning, std::int64_t rows);

/// Attention. Wide: one work-item per tile of `tile` query rows of a kv head, at most `work_items`
/// at a time. Otherwise three plain kernels over at most `rows` query rows at a time.
struct AttentionTuning {
  bool wide = false;
  int tile = 1;
  std::int64_t work_items = 1;
  std::int64_t rows = 1;
  std::size_t work_group = 1;
};
struct AttentionProblem {
  std::int64_t heads = 1;          ///< batch times kv heads
  std::int64_t rows_per_head = 1;  ///< query rows that share one
  std::int64_t keys = 1;
  std::int64_t largest_dim = 1;  ///< of a head
};
/// Heads of more than 256 elements are left to the plain kernels: they fill no registers.
AttentionTuning choose_attention(const DeviceInfo& device, const AttentionProblem& problem);

}  // namespace clmx
