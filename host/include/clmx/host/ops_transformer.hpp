#pragma once

#include <optional>
#include <vector>

#include "clmx/host/array.hpp"

namespace clmx {

/// The options of rms_norm as a Tap sees them.
struct RmsNormOptions {
  float eps = 1e-5f;
};

/// x / sqrt(mean(x^2) + eps), rounded to x's dtype, times weight (as MLX: two roundings).
///
/// x: [..., n] float; weight: [n] float or absent. Result: x.shape in the promoted dtype. The sum
/// of squares is 16 chains by i mod 16 and a fixed tree.
Array rms_norm(const Array& x, const std::optional<Array>& weight, float eps,
               StreamOrDevice s = {});

/// The residual sum and its norm in one launch: the bits of add(a, b) and rms_norm(sum, weight,
/// eps).
struct AddedNorm {
  Array sum, normed;
};
/// a, b: equal shapes, float; otherwise as add and rms_norm.
AddedNorm add_rms_norm(const Array& a, const Array& b, const std::optional<Array>& weight,
                       float eps, StreamOrDevice s = {});

/// Axis order of attention operands: batch, heads, time, dim (MLX's) or batch, time, heads, dim
/// (projections as they come).
enum class AttentionLayout { bhtd, bthd };

/// Inverse frequencies of rotary embedding in float64, made once per model; the tables of cos and
/// sin come from the host in float64, rounded once to f32, so every device rotates by the same
/// numbers.
struct RopeOptions {
  int dims = 0;              ///< rotated elements per head: even, positive, at most the last axis
  bool traditional = false;  ///< pairs (2i, 2i+1), else (i, i + dims/2)
  std::optional<double> base =
      10000.0;  ///< theta_i = base^(-2i/dims); exactly one of base and periods
  std::optional<std::vector<double>> periods =
      {};                   ///< dims/2 values: theta_i = 1 / periods[i] (MLX's freqs)
  double scale = 1.0;       ///< multiplies positions
  std::int64_t offset = 0;  ///< position of the first row
  AttentionLayout layout = AttentionLayout::bhtd;
};
/// Rotary position embedding. x: rank >= 3, [..., heads, time, dim] (bhtd) or [..., time, heads,
/// dim] (bthd), float. Result: as x.
Array rope(const Array& x, const RopeOptions& options, StreamOrDevice s = {});

/// Precomputed cos and sin for positions [0, positions): what a model keeps so that a decode step
/// uploads nothing. cos, sin: f32 [positions, dims/2].
struct RopeTable {
  Array cos, sin;
  int dims = 0;
  bool traditional = false;
};
/// The first row is position options.offset.
RopeTable make_rope_table(const RopeOptions& options, std::int64_t positions);
/// The options of a rotation by a table as a Tap sees them (op "rope_table"; inputs x, cos, sin).
struct RopeTableOptions {
  int dims = 0;
  bool traditional = false;
  std::int64_t offset = 0;
  AttentionLayout layout = AttentionLayout::bhtd;
};
/// x as above; row t is rotated by row offset + t of the table. Throws ArgumentError when the table
/// has fewer rows.
Array rope(const Array& x, const RopeTable& table, std::int64_t offset, AttentionLayout layout,
           StreamOrDevice s = {});

/// What a Tap sees of an append: op "kv_append" (inputs k, v) or "kv_append_rotated" (inputs qkv,
/// cos, sin); the output is the cache's keys.
struct KVAppendOptions {
  std::int64_t length = 0;  ///< positions that were there before
  AttentionLayout layout = AttentionLayout::bthd;
};

/// Keys and values of one layer, written in place: the one mutable thing. Belongs to one stream;
/// moving it copies. Stored as [batch, kv_heads, capacity, head_dim] in `dtype`.
class KVCache {
 public:
  /// Allocates nothing until the first append; grows by doubling up to `limit` positions.
  KVCache(std::int64_t batch, std::int64_t kv_heads, std::int64_t head_dim, std::int64_t limit,
          DType dtype = DType::f32);
  KVCache(const KVCache&) = delete;  // two caches would write the same positions
  KVCache& operator=(const KVCache&) = delete;
  KVCache(KVCache&&) = default;
  KVCache& operator=(KVCache&&) = default;
  /// k, v: [batch, time, kv_heads, head_dim] (bthd) or bhtd, float. Throws ArgumentError when
  /// shapes differ or the limit would be passed.
  void append(const Array& k, const Array& v, AttentionLayout layout, StreamOrDevice s = {});
  /// From a fused projection, in one launch: rotates the queries and keys to their positions
  /// (length() + t), appends keys and values, and returns the queries.
  ///
  /// qkv: [batch, time, (heads + 2 kv_heads) head_dim] float; the number of query heads follows
  /// from the last axis. Result: [batch, time, heads, head_dim], qkv's dtype. The bits of rope and
  /// append of the three parts. Throws ArgumentError as append does, or when the table is too
  /// short.
  Array append_rotated(const Array& qkv, const RopeTable& table, StreamOrDevice s = {});
  std::int64_t length() const { return length_; }
  std::int64_t limit() const { return limit_; }
  std::int64_t capacity() const { return capacity_; }
  /// Forgets positions from `length` on. Throws ArgumentError when it exceeds length().
  void truncate(std::int64_t length);
  /// [batch, kv_heads, capacity, head_dim]; positions from length() on are undefined.
  const Array& keys() const { return keys_; }
  const Array& values() const { return values_; }

 private:
  void make_room(std::int64_t time, const Stream& stream);
  std::int64_t batch_, kv_heads_, head_dim_, limit_, length_ = 0, capacity_ = 0;
  DType dtype_;
  Array keys_, values_;
};

struct AttentionOptions {
  float scale = 1.0f;
  bool causal = false;                             ///< key <= query + (Lk - Lq)
  AttentionLayout layout = AttentionLayout::bhtd;  ///< of q and of the result
};
/// softmax(scale q k^T) v with grouped heads: query head h uses key head h / (Hq / Hkv).
///
/// q: [B, Hq, Lq, D], k: [B, Hkv, Lk, D], v: [B, Hkv, Lk, Dv] (q and the result in options.layout,
/// k and v too). Result: [B, Hq, Lq, Dv], promoted dtype. Canonical order per query row: exact
/// maximum, blocks of 64 keys, ascending fma chains, the tree over blocks. A row that may see no
/// key gives the mean of all values.
Array scaled_dot_product_attention(const Array& q, const Array& k, const Array& v,
                                   const AttentionOptions& options, StreamOrDevice s = {});
/// The options of attention over a cache as a Tap sees them (op "cached_attention"; inputs q, keys,
/// values).
struct CachedAttentionOptions {
  AttentionOptions attention;
  std::int64_t length = 0;  ///< positions of the cache that count
};
/// Over a cache whose last Lq positions are q's own: causal alignment to the end.
Array scaled_dot_product_attention(const Array& q, const KVCache& cache,
                                   const AttentionOptions& options, StreamOrDevice s = {});

}  // namespace clmx
