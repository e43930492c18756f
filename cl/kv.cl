// Writing keys and values into a cache [batch, kv_heads, capacity, dim] of dtype C at positions
// length + t. Constants: X dtype of what is written, C, WIDE. A work-item takes per_item rows; the
// second axis of the grid splits a row.
#include "common/round.clh"
#if WIDE
#include "common/wide.clh"
#endif

typedef STORAGE(X) x_t;
typedef STORAGE(C) c_t;

inline void copy_head(const global x_t* from, global c_t* to, long dim, long lane, long lanes) {
  long i = lane;
#if WIDE
  for (; i + 16 <= dim; i += 16) STORE16(C, to, i, LOAD16(X, from, i));
#endif
  for (; i < dim; i += lanes) STORE(C, to, i, LOAD(X, from, i));
}

// Element (b, h, t) of k and v is row b heads time + h head_step + t time_step.
kernel void kv_append(const global x_t* k, ulong k_at, const global x_t* v, ulong v_at,
                      global c_t* keys, ulong keys_at, global c_t* values, ulong values_at,
                      long rows, long heads, long time, long head_step, long time_step, long dim,
                      long capacity, long length, long per_item) {
  const long first = (long)get_global_id(0) * per_item;
  const long last = min(rows, first + per_item);
  for (long row = first; row < last; row++) {
    const long t = row % time, h = row / time % heads, b = row / time / heads;
    const long from = (b * heads * time + h * head_step + t * time_step) * dim;
    const long to = ((b * heads + h) * capacity + length + t) * dim;
    copy_head(k + k_at + from, keys + keys_at + to, dim, get_global_id(1), get_global_size(1));
    copy_head(v + v_at + from, values + values_at + to, dim, get_global_id(1), get_global_size(1));
  }
}

#if ROTATE
#include "common/rope.clh"

DEFINE_ROTATE(rotate_query, X, X)
DEFINE_ROTATE(rotate_key, X, C)

// qkv: [batch, time, heads + 2 kv_heads, dim]. Queries are rotated into q [batch, time, heads,
// dim], keys into the cache, values are copied there. Positions are length + t.
kernel void kv_append_rotated(const global x_t* qkv, ulong qkv_at, const global float* cosines,
                              ulong cosines_at, const global float* sines, ulong sines_at,
                              global x_t* q, ulong q_at, global c_t* keys, ulong keys_at,
                              global c_t* values, ulong values_at, long rows, long heads,
                              long kv_heads, long time, long dim, long dims, long capacity,
                              long length, long per_item) {
  const long lane = get_global_id(1), lanes = get_global_size(1);
  const long first = (long)get_global_id(0) * per_item;
  const long last = min(rows, first + per_item);
  const long all = heads + 2 * kv_heads;
  for (long row = first; row < last; row++) {
    const long slot = row % all, bt = row / all, b = bt / time, t = bt - b * time;
    const global x_t* from = qkv + qkv_at + row * dim;
    const global float* c = cosines + cosines_at + (length + t) * (dims / 2);
    const global float* s = sines + sines_at + (length + t) * (dims / 2);
    if (slot < heads) {
      rotate_query(from, c, s, q + q_at + (bt * heads + slot) * dim, dim, dims, lane, lanes);
      continue;
    }
    const long h = (slot - heads) % kv_heads;
    const long to = ((b * kv_heads + h) * capacity + length + t) * dim;
    if (slot < heads + kv_heads)
      rotate_key(from, c, s, keys + keys_at + to, dim, dims, lane, lanes);
    else
      copy_head(from, values + values_at + to, dim, lane, lanes);
  }
}
#endif
