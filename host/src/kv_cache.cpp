#include <algorithm>

#include "checks.hpp"
#include "clmx/host/ops_transformer.hpp"
#include "launch.hpp"
#include "ops_transformer_tuning.hpp"

namespace clmx {
namespace {

constexpr std::int64_t first_capacity = 64;

/// A copy with room for `capacity` positions, of which the first `length` are there.
Array grown(const Array& old, std::int64_t length, std::int64_t capacity, const Stream& stream) {
  Array larger = Array::empty(old.shape().with(2, capacity), old.dtype(), stream);
  if (length == 0) return larger;
  const std::int64_t heads = old.shape().elements(0, 2);
  const std::size_t row = static_cast<std::size_t>(old.shape(3)) * size_of(old.dtype());
  const std::size_t from_step = static_cast<std::size_t>(old.shape(2)) * row;
  const std::size_t to_step = static_cast<std::size_t>(capacity) * row;
  const BufferArgument from = old.on(stream);
  const Buffer to = larger.on(stream).buffer;
  const std::size_t begin = from.offset * size_of(old.dtype());
  for (std::size_t head = 0; head < static_cast<std::size_t>(heads); head++)
    stream.copy(from.buffer, begin + head * from_step, to, head * to_step,
                static_cast<std::size_t>(length) * row);
  return larger;
}

/// The array in a storage that `stream` writes. From another device it is copied: a replica may
/// share that device's pages.
Array owned_by(const Array& array, std::int64_t length, const Stream& stream) {
  const std::optional<Device> home = array.home();
  if (home && *home != stream.device()) return grown(array, length, array.shape(2), stream);
  return Array::wrap(array.on(stream).buffer, array.shape(), array.dtype(), stream);
}

Array no_positions(std::int64_t batch, std::int64_t kv_heads, std::int64_t head_dim, DType dtype) {
  return Array::wrap(HostBytes{}, Shape{batch, kv_heads, 0, head_dim}, dtype);
}

}  // namespace

KVCache::KVCache(std::optional<std::int64_t> batch, std::int64_t kv_heads, std::int64_t head_dim,
                 std::int64_t limit, DType dtype)
    : batch_(batch.value_or(0)),
      kv_heads_(kv_heads),
      head_dim_(head_dim),
      limit_(limit),
      dtype_(dtype) {
  const std::int64_t least = batch.value_or(1);
  require(least > 0 && kv_heads > 0 && head_dim > 0 && limit >= 0, "kv_cache",
          "batch, kv_heads and head_dim must be positive and limit not negative; they are ", least,
          ", ", kv_heads, ", ", head_dim, ", ", limit);
  require(is_float(dtype), "kv_cache", "the dtype must be a float, not ", dtype);
  static_cast<void>(Shape{least, kv_heads, limit, head_dim});  // refuses what no array can hold
  keys_ = values_ = no_positions(batch_, kv_heads, head_dim, dtype);
}

void KVCache::require_batch(std::int64_t batch) const {
  require(batch > 0, "kv_cache", "a batch of no sequences");
  require(batch_ == 0 || batch == batch_, "kv_cache", "a batch of ", batch,
          ", the cache holds a batch of ", batch_);
}

void KVCache::fix_batch(std::int64_t batch) {
  if (batch == batch_) return;
  static_cast<void>(Shape{batch, kv_heads_, limit_, head_dim_});  // as in the constructor
  keys_ = values_ = no_positions(batch, kv_heads_, head_dim_, dtype_);
  batch_ = batch;
}

void KVCache::make_room(std::int64_t batch, std::int64_t time, const Stream& stream) {
  require(time <= limit_ - length_, "kv_cache", "appending ", time, " positions to ", length_,
          " would pass the limit of ", limit_);
  fix_batch(batch);
  const std::int64_t wanted = length_ + time;
  if (wanted <= capacity_ && !assigned_) {
    keys_ = owned_by(keys_, length_, stream);
    values_ = owned_by(values_, length_, stream);
    return;
  }
  const std::int64_t doubled = std::max(first_capacity, 2 * capacity_);
  const std::int64_t capacity = std::min(limit_, std::max(doubled, wanted));
  Array keys = grown(keys_, length_, capacity, stream);
  values_ = grown(values_, length_, capacity, stream);
  keys_ = std::move(keys);
  capacity_ = capacity;
  assigned_ = false;
}

void KVCache::append(const Array& k, const Array& v, AttentionLayout layout, StreamOrDevice s) {
  require_float(k, "kv_cache", "k");
  require(k.rank() == 4, "kv_cache", "k must have 4 axes, its shape is ", k.shape());
  const std::int64_t batch = k.shape(0);
  require_batch(batch);
  const bool bhtd = layout == AttentionLayout::bhtd;
  const std::int64_t time = k.shape(bhtd ? 2 : 1);
  const Shape wanted =
      bhtd ? Shape{batch, kv_heads_, time, head_dim_} : Shape{batch, time, kv_heads_, head_dim_};
  require(k.shape() == wanted && v.shape() == wanted, "kv_cache", "k and v must have shape ",
          wanted, ", not ", k.shape(), " and ", v.shape());
  require(v.dtype() == k.dtype(), "kv_cache", "k is ", k.dtype(), ", v is ", v.dtype(),
          "; they must be equal");
  const Stream stream = s.resolve();
  make_room(batch, time, stream);
  if (time == 0) return;

  const std::int64_t rows = batch * kv_heads_ * time;
  const HeadTuning tuning = choose_heads(stream.device().info(), rows, head_dim_);
  const Constants constants{
      {"X", k.dtype()}, {"C", dtype_}, {"ROTATE", 0}, {"WIDE", tuning.share.wide}};
  const Kernel kernel = stream.device().kernel({kernels(), "kv.cl", "kv_append", constants});
  launch(stream, kernel, head_grid(tuning, rows), k, v, keys_, values_, rows, kv_heads_, time,
         bhtd ? time : 1, bhtd ? 1 : kv_heads_, head_dim_, capacity_, length_,
         tuning.share.per_item);
  tapped("kv_append", {k, v}, KVAppendOptions{length_, layout}, keys_);
  length_ += time;
}

Array KVCache::append_rotated(const Array& qkv, const RopeTable& table, StreamOrDevice s) {
  require_float(qkv, "kv_cache", "qkv");
  require(qkv.rank() == 3, "kv_cache",
          "qkv must have shape [batch, time, (heads + 2 kv_heads) head_dim], not ", qkv.shape());
  const std::int64_t batch = qkv.shape(0), time = qkv.shape(1), width = qkv.shape(2);
  require_batch(batch);
  const std::int64_t heads = width / head_dim_ - 2 * kv_heads_;
  require(width % head_dim_ == 0 && heads > 0, "kv_cache", "the last axis of qkv, ", width,
          ", is not (heads + 2 * ", kv_heads_, ") * ", head_dim_);
  require(table.dims <= head_dim_ && length_ + time <= table.cos.shape(0), "kv_cache",
          "a table of ", table.cos.shape(0), " positions and ", table.dims,
          " dims does not fit heads of ", head_dim_, " at positions up to ", length_ + time);
  const Stream stream = s.resolve();
  make_room(batch, time, stream);
  Array q = Array::empty(Shape{batch, time, heads, head_dim_}, qkv.dtype(), stream);
  if (time == 0) return q;

  const std::int64_t rows = batch * time * (heads + 2 * kv_heads_);
  const HeadTuning tuning = choose_heads(stream.device().info(), rows, head_dim_);
  const Constants constants{{"X", qkv.dtype()},
                            {"C", dtype_},
                            {"ROTATE", 1},
                            {"TRADITIONAL", table.traditional},
                            {"WIDE", tuning.share.wide}};
  const Kernel kernel =
      stream.device().kernel({kernels(), "kv.cl", "kv_append_rotated", constants});
  launch(stream, kernel, head_grid(tuning, rows), qkv, table.cos, table.sin, q, keys_, values_,
         rows, heads, kv_heads_, time, head_dim_, std::int64_t{table.dims}, capacity_, length_,
         tuning.share.per_item);
  tapped("kv_append_rotated", {qkv, table.cos, table.sin},
         KVAppendOptions{length_, AttentionLayout::bthd, table.traditional}, keys_);
  length_ += time;
  return q;
}

void KVCache::assign(const Array& keys, const Array& values) {
  require(keys.rank() == 4, "kv_cache", "keys must have 4 axes, their shape is ", keys.shape());
  require_batch(keys.shape(0));
  const std::int64_t length = keys.shape(2);
  const Shape wanted{keys.shape(0), kv_heads_, length, head_dim_};
  require(keys.shape() == wanted && values.shape() == wanted, "kv_cache",
          "keys and values must have shape ", wanted, ", not ", keys.shape(), " and ",
          values.shape());
  require(keys.dtype() == dtype_ && values.dtype() == dtype_, "kv_cache",
          "keys and values must be ", dtype_, ", not ", keys.dtype(), " and ", values.dtype());
  require(length <= limit_, "kv_cache", length, " positions would pass the limit of ", limit_);
  fix_batch(keys.shape(0));
  keys_ = keys;
  values_ = values;
  length_ = capacity_ = length;
  assigned_ = true;
}

void KVCache::truncate(std::int64_t length) {
  require(0 <= length && length <= length_, "kv_cache", "cannot truncate ", length_,
          " positions to ", length);
  length_ = length;
}

}  // namespace clmx
