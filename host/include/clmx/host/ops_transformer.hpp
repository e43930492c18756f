#pragma once

#include <concepts>
#include <optional>
#include <vector>

#include "clmx/host/array.hpp"

namespace clmx {

/// The options of rms_norm as a Tap sees them.
struct RmsNormOptions {
  float eps = 1e-5f;
};

/// x / sqrt(mean(x^2) + eps), rounded to the result's dtype, times weight, rounded (MLX's
/// fast.rms_norm).
///
/// x: [..., n] float; weight: [n] float or absent. Result: x.shape in the promoted dtype. The sum
/// of squares is 16 chains by i mod 16 and a fixed tree.
Array rms_norm(const Array& x, const std::optional<Array>& weight, float eps,
               StreamOrDevice s = {});

/// The options of layer_norm as a Tap sees them (inputs x, then weight and bias as far as given).
struct LayerNormOptions {
  float eps = 1e-5f;
  bool weight = false, bias = false;
};
/// (x - mean) / sqrt(variance + eps), rounded to the result's dtype, times weight, rounded, plus
/// bias, rounded (MLX's fast.layer_norm). The variance is the population's: the mean of (x -
/// mean)^2.
///
/// x: [..., n] float; weight, bias: [n] float or absent. Result: x.shape in the promoted dtype, but
/// without a weight in x's, whatever the bias is, which is rounded to that first. Computed in f32;
/// both sums are 16 chains by i mod 16 and a fixed tree.
Array layer_norm(const Array& x, const std::optional<Array>& weight,
                 const std::optional<Array>& bias, float eps, StreamOrDevice s = {});

/// exp(x - max) / sum(exp(x - max)) along the last axis.
///
/// x: [..., n] of any dtype, integers as f32; a scalar counts as a row of one. Result: x.shape, of
/// x's dtype or f32. Summed in f32 (what MLX calls precise; its
/// other form sums in x's dtype) in 16 chains by i mod 16 and a fixed tree, rounded once. A row of
/// -infinity, or with a NaN or +infinity, gives NaN.
Array softmax(const Array& x, StreamOrDevice s = {});

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
  /// Instead of offset, one per entry of x's first axis, or one for all (MLX's array of offsets).
  std::optional<std::vector<std::int64_t>> offsets = {};
};
/// Rotary position embedding. x: rank >= 3, [..., heads, time, dim] (bhtd) or [..., time, heads,
/// dim] (bthd), float. Result: as x.
///
/// Throws ArgumentError for other dims, when not exactly one of base and periods is given, and when
/// offsets are given with an offset or their number is neither 1 nor x.shape(0).
Array rope(const Array& x, const RopeOptions& options, StreamOrDevice s = {});

/// Precomputed cos and sin for positions [0, positions): what a model keeps so that a decode step
/// uploads nothing. cos, sin: f32 [positions, dims/2].
struct RopeTable {
  Array cos, sin;
  int dims = 0;
  bool traditional = false;
};
/// The first row is position options.offset. Throws ArgumentError when there are options.offsets.
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
  bool traditional = false;  ///< of the rotation
};

/// Keys and values of one layer, written in place: the one mutable thing. Belongs to one stream;
/// moving it copies. Stored as [batch, kv_heads, capacity, head_dim] in `dtype`.
class KVCache {
 public:
  /// Allocates nothing until the first append; grows by doubling up to `limit` positions. Without
  /// a batch the first append or assign fixes it.
  KVCache(std::optional<std::int64_t> batch, std::int64_t kv_heads, std::int64_t head_dim,
          std::int64_t limit, DType dtype = DType::f32);
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
  /// The positions of these arrays instead of its own: what an earlier cache held, say. They are
  /// only read; the next append copies them.
  ///
  /// keys, values: [batch, kv_heads, length, head_dim] in the cache's dtype. Throws ArgumentError
  /// when they are not, or when length is above the limit.
  void assign(const Array& keys, const Array& values);
  /// Sequences held; 0 as long as nothing fixed it.
  std::int64_t batch() const { return batch_; }
  std::int64_t length() const { return length_; }
  std::int64_t limit() const { return limit_; }
  std::int64_t capacity() const { return capacity_; }
  /// Forgets positions from `length` on. Throws ArgumentError when it exceeds length().
  void truncate(std::int64_t length);
  /// [batch, kv_heads, capacity, head_dim]; positions from length() on are undefined.
  const Array& keys() const { return keys_; }
  const Array& values() const { return values_; }

 private:
  void require_batch(std::int64_t batch) const;
  void fix_batch(std::int64_t batch);
  void make_room(std::int64_t batch, std::int64_t time, const Stream& stream);
  std::int64_t batch_, kv_heads_, head_dim_, limit_, length_ = 0, capacity_ = 0;
  DType dtype_;
  Array keys_, values_;
  bool assigned_ = false;  // keys_ and values_ are others' too: never to be written to
};

struct AttentionOptions {
  float scale = 1.0f;
  bool causal = false;                             ///< key <= query + (Lk - Lq)
  AttentionLayout layout = AttentionLayout::bhtd;  ///< of q, k, v and of the result
  /// At most 4 axes that broadcast to [B, Hq, Lq, Lk], whatever the layout. u8: the query may see
  /// the key unless 0. Float, promoting to the result's dtype: added to the scores.
  std::optional<Array> mask = {};
  /// [Hq] float, promoting to the result's dtype: one more score per row, which takes part in the
  /// softmax and has no value.
  std::optional<Array> sinks = {};
  /// With causal: key > query + (Lk - Lq) - window, so a query sees at most `window` keys.
  std::optional<std::int64_t> window = {};
  /// How many keys count, from the first; Lk is this number then. Absent: all.
  std::optional<std::int64_t> kv_length = {};
};
/// softmax(scale q k^T) v with grouped heads: query head h uses key head h / (Hq / Hkv). As MLX's
/// fast.scaled_dot_product_attention, with the window as a mask.
///
/// q: [B, Hq, Lq, D], k: [B, Hkv, Lk, D], v: [B, Hkv, Lk, Dv] in options.layout. Result: [B, Hq,
/// Lq, Dv] in that layout, promoted dtype. Computed in f32, rounded once. Canonical order per query
/// row: exact maximum over the keys it may see and the sink; blocks of 64 keys at absolute
/// positions, ascending fma chains in which a key that may not be seen leaves the sum as it is; the
/// tree over the blocks that causal and window leave to the row; the sink's term last.
///
/// A row that may see no key (causal, window, u8 mask) gives the mean of all values, or 0 with a
/// sink. A float mask of -infinity for all keys gives NaN, or 0 with a sink. NaN scores give NaN.
/// Without any keys (Lk 0) the result is 0.
/// Throws ArgumentError when shapes do not fit, the mask or sinks would widen the result, window is
/// not positive or given without causal, or kv_length is not within [0, Lk].
Array scaled_dot_product_attention(const Array& q, const Array& k, const Array& v,
                                   const AttentionOptions& options, StreamOrDevice s = {});
/// The same in MLX's words; what else can be chosen is in the options.
// Scale is a template, so that {} means options. MLX's own signature.
template <std::floating_point Scale>
// NOLINTNEXTLINE(readability-function-size)
Array scaled_dot_product_attention(const Array& q, const Array& k, const Array& v, Scale scale,
                                   const std::optional<Array>& mask = {},
                                   const std::optional<Array>& sinks = {}, StreamOrDevice s = {}) {
  AttentionOptions options{.scale = static_cast<float>(scale)};
  options.mask = mask;
  options.sinks = sinks;
  return scaled_dot_product_attention(q, k, v, options, s);
}
/// The options of attention over a cache as a Tap sees them (op "cached_attention"; inputs q, keys,
/// values, then mask and sinks as far as given, as for attention without a cache).
struct CachedAttentionOptions {
  AttentionOptions attention;
  std::int64_t length = 0;  ///< positions of the cache that count
};
/// Over a cache whose last Lq positions are q's own: causal alignment to the end; Lk is
/// cache.length(), or kv_length where that is given.
Array scaled_dot_product_attention(const Array& q, const KVCache& cache,
                                   const AttentionOptions& options, StreamOrDevice s = {});

}  // namespace clmx
