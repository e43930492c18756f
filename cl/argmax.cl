// out[row] = index of the largest element of x[row, :], the first of equals. Elements are compared
// as integers that order as the floats do; NaN comes below everything and the two zeros are one.
// Constants: X dtype; WIDE: one work-item per row, else one work-group of GROUP items.
#include "common/dtype.clh"
#if WIDE
#include "common/wide.clh"
#endif

typedef STORAGE(X) x_t;

inline int order_of(float v) {
  const int bits = as_int(v);
  const int magnitude = bits & 0x7fffffff;
  const int key = bits < 0 ? -magnitude : magnitude;
  return magnitude > 0x7f800000 ? INT_MIN : key;
}

// Whether the candidate goes before the best.
inline bool precedes(int key, int at, int best, int best_at) {
  return key > best || (key == best && at < best_at);
}

#if WIDE
inline int16 order_of16(float16 v) {
  const int16 bits = as_int16(v);
  const int16 magnitude = bits & 0x7fffffff;
  const int16 key = select(magnitude, -magnitude, bits < 0);
  return select(key, (int16)INT_MIN, magnitude > 0x7f800000);
}

kernel void argmax(const global x_t* x, ulong x_at, global int* out, ulong out_at, long width) {
  const long row = get_global_id(0);
  x += x_at + row * width;
  int16 lane = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  int16 best = INT_MIN, best_at = lane;
  long i = 0;
  for (; i + 16 <= width; i += 16, lane += 16) {
    const int16 key = order_of16(LOAD16(X, x, i));
    best_at = select(best_at, lane, key > best);
    best = max(best, key);
  }
  int keys[16], at[16];
  vstore16(best, 0, keys);
  vstore16(best_at, 0, at);
  int top = INT_MIN, top_at = 0;
  for (int c = 0; c < 16 && c < width; c++) {
    if (precedes(keys[c], at[c], top, top_at)) {
      top = keys[c];
      top_at = at[c];
    }
  }
  for (; i < width; i++) {
    const int key = order_of(LOAD(X, x, i));
    if (key > top) {
      top = key;
      top_at = (int)i;
    }
  }
  out[out_at + row] = top_at;
}
#else
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void argmax(const global x_t* x,
                                                                      ulong x_at, global int* out,
                                                                      ulong out_at, long width) {
  const long row = get_global_id(0) / GROUP;
  const int me = (int)get_local_id(0);
  x += x_at + row * width;
  int top = INT_MIN, top_at = me < width ? me : 0;
  for (long i = me; i < width; i += GROUP) {
    const int key = order_of(LOAD(X, x, i));
    if (key > top) {
      top = key;
      top_at = (int)i;
    }
  }
  local int keys[GROUP], at[GROUP];
  keys[me] = top;
  at[me] = top_at;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (me == 0) {
    for (int c = 1; c < GROUP; c++) {
      if (precedes(keys[c], at[c], top, top_at)) {
        top = keys[c];
        top_at = at[c];
      }
    }
    out[out_at + row] = top_at;
  }
}
#endif
