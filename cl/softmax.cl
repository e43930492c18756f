// out = exp(x - max) / sum(exp(x - max)) along rows: the exact maximum (NaN is none), sixteen
// chains of weights by i mod 16 and the tree, times the reciprocal, rounded once. Constants: X
// dtype; WIDE: one work-item takes per_item rows, else one work-group of GROUP items a row. `one`
// is 1: a sum written as a product keeps compilers from reordering it.
#include "common/dtype.clh"
#include "common/math.clh"
#include "common/reduce.clh"
#if WIDE
#include "common/wide.clh"
#endif

typedef STORAGE(X) x_t;

#if WIDE
// The first `count` elements; behind them -infinity, whose weight is +0.
inline float16 row_part(const global x_t* x, long count) {
  float part[16];
  for (int lane = 0; lane < 16; lane++) part[lane] = -INFINITY;
  for (int lane = 0; lane < (int)count; lane++) part[lane] = LOAD(X, x, lane);
  return vload16(0, part);
}

inline float largest_of_row(const global x_t* x, long whole, float16 rest) {
  float16 top = -INFINITY;
  top = select(top, rest, rest > top);
  for (long i = 0; i < whole; i += 16) {
    const float16 v = LOAD16(X, x, i);
    top = select(top, v, v > top);
  }
  float lanes[16], largest = -INFINITY;
  vstore16(top, 0, lanes);
  for (int c = 0; c < 16; c++) largest = lanes[c] > largest ? lanes[c] : largest;
  return largest;
}

inline void softmax_row(const global x_t* x, global x_t* out, long width, float one) {
  const long whole = width & ~15L;
  const float16 rest = row_part(x + whole, width - whole);
  const float largest = largest_of_row(x, whole, rest);
  float16 chains = 0.0f;
  for (long i = 0; i < whole; i += 16)
    chains = fma(clmx_exp16(LOAD16(X, x, i) - largest), (float16)one, chains);
  chains = fma(clmx_exp16(rest - largest), (float16)one, chains);
  const float scale = clmx_recip(clmx_tree16(chains));
  for (long i = 0; i < whole; i += 16)
    STORE16(X, out, i, clmx_exp16(LOAD16(X, x, i) - largest) * scale);
  for (long i = whole; i < width; i++) STORE(X, out, i, clmx_exp(LOAD(X, x, i) - largest) * scale);
}

kernel void softmax(const global x_t* x, ulong x_at, global x_t* out, ulong out_at, long rows,
                    long width, long per_item, float one) {
  const long first = (long)get_global_id(0) * per_item;
  const long last = min(rows, first + per_item);
  for (long row = first; row < last; row++)
    softmax_row(x + x_at + row * width, out + out_at + row * width, width, one);
}
#else
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void softmax(const global x_t* x,
                                                                       ulong x_at, global x_t* out,
                                                                       ulong out_at, long rows,
                                                                       long width, long per_item,
                                                                       float one) {
  const long row = get_global_id(0) / GROUP;
  const uint me = (uint)get_local_id(0);
  x += x_at + row * width;
  out += out_at + row * width;
  local float tops[GROUP], chains[16];
  float top = -INFINITY;
  for (long i = me; i < width; i += GROUP) {
    const float v = LOAD(X, x, i);
    top = v > top ? v : top;
  }
  tops[me] = top;
  barrier(CLK_LOCAL_MEM_FENCE);
  float largest = -INFINITY;
  for (uint c = 0; c < GROUP; c++) largest = tops[c] > largest ? tops[c] : largest;
  for (uint c = me; c < 16; c += GROUP) {
    float chain = 0.0f;
    for (long i = c; i < width; i += 16) chain = fma(clmx_exp(LOAD(X, x, i) - largest), one, chain);
    chains[c] = chain;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (me == 0) clmx_tree_of_16_local(chains);
  barrier(CLK_LOCAL_MEM_FENCE);
  const float scale = clmx_recip(chains[0]);
  for (long i = me; i < width; i += GROUP)
    STORE(X, out, i, clmx_exp(LOAD(X, x, i) - largest) * scale);
}
#endif
