// out = round(round(round((x - mean) / sqrt(variance + eps)) w) + round(b)), every rounding to Y;
// mean and variance of the row in f32. Constants: X, W, B, Y dtypes; HAS_WEIGHT, HAS_BIAS;
// ROUND_BIAS: Y does not hold every b; WIDE: one work-item takes per_item rows, else one work-group
// of GROUP items a row. `one` is 1: a sum written as a product keeps compilers from reordering it.
#include "common/math.clh"
#include "common/reduce.clh"
#include "common/round.clh"
#if WIDE
#include "common/wide.clh"
#endif

typedef STORAGE(X) x_t;
typedef STORAGE(W) w_t;
typedef STORAGE(B) b_t;
typedef STORAGE(Y) y_t;

#if HAS_WEIGHT
#define WEIGHTED(v, i) ROUND(Y, (v)*LOAD(W, w, i))
#define WEIGHTED16(v, i) ROUND16(Y, (v)*LOAD16(W, w, i))
#else
#define WEIGHTED(v, i) (v)
#define WEIGHTED16(v, i) (v)
#endif
#if HAS_BIAS && ROUND_BIAS
#define BIASED(v, i) ((v) + ROUND(Y, LOAD(B, b, i)))
#define BIASED16(v, i) ((v) + ROUND16(Y, LOAD16(B, b, i)))
#elif HAS_BIAS
#define BIASED(v, i) ((v) + LOAD(B, b, i))
#define BIASED16(v, i) ((v) + LOAD16(B, b, i))
#else
#define BIASED(v, i) (v)
#define BIASED16(v, i) (v)
#endif

inline void store_normed(float normed, const global w_t* w, const global b_t* b, global y_t* out,
                         long i) {
  const float rounded = ROUND(Y, normed);
  const float weighted = WEIGHTED(rounded, i);
  STORE(Y, out, i, BIASED(weighted, i));
}

#if WIDE
// The first `count` of x - mean, +0 behind them.
inline float16 part_less_mean(const global x_t* x, long count, float mean) {
  float part[16] = {0.0f};
  for (int lane = 0; lane < (int)count; lane++) part[lane] = LOAD(X, x, lane) - mean;
  return vload16(0, part);
}

inline float mean_of_row(const global x_t* x, long width, float per_width, float one) {
  const long whole = width & ~15L;
  float16 chains = 0.0f;
  for (long i = 0; i < whole; i += 16) chains = fma(LOAD16(X, x, i), (float16)one, chains);
  chains = fma(part_less_mean(x + whole, width - whole, 0.0f), (float16)one, chains);
  return clmx_tree16(chains) * per_width;
}

inline void norm_row(const global x_t* x, const global w_t* w, const global b_t* b, global y_t* out,
                     long width, float per_width, float eps, float one) {
  const long whole = width & ~15L;
  const float mean = mean_of_row(x, width, per_width, one);
  float16 chains = 0.0f;
  for (long i = 0; i < whole; i += 16) {
    const float16 v = LOAD16(X, x, i) - mean;
    chains = fma(v, v, chains);
  }
  const float16 rest = part_less_mean(x + whole, width - whole, mean);
  chains = fma(rest, rest, chains);
  const float scale = clmx_rsqrt(fma(clmx_tree16(chains), per_width, eps));
  for (long i = 0; i < whole; i += 16) {
    const float16 rounded = ROUND16(Y, (LOAD16(X, x, i) - mean) * scale);
    const float16 weighted = WEIGHTED16(rounded, i);
    STORE16(Y, out, i, BIASED16(weighted, i));
  }
  for (long i = whole; i < width; i++) store_normed((LOAD(X, x, i) - mean) * scale, w, b, out, i);
}

kernel void layer_norm(const global x_t* x, ulong x_at, const global w_t* w, ulong w_at,
                       const global b_t* b, ulong b_at, global y_t* out, ulong out_at, long rows,
                       long width, float per_width, float eps, long per_item, float one) {
  const long first = (long)get_global_id(0) * per_item;
  const long last = min(rows, first + per_item);
  for (long row = first; row < last; row++)
    norm_row(x + x_at + row * width, w + w_at, b + b_at, out + out_at + row * width, width,
             per_width, eps, one);
}
#else
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void layer_norm(
    const global x_t* x, ulong x_at, const global w_t* w, ulong w_at, const global b_t* b,
    ulong b_at, global y_t* out, ulong out_at, long rows, long width, float per_width, float eps,
    long per_item, float one) {
  const long row = get_global_id(0) / GROUP;
  const uint me = (uint)get_local_id(0);
  x += x_at + row * width;
  local float chains[16], means[1];
  for (uint c = me; c < 16; c += GROUP) {
    float chain = 0.0f;
    for (long i = c; i < width; i += 16) chain = fma(LOAD(X, x, i), one, chain);
    chains[c] = chain;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (me == 0) means[0] = clmx_tree_of_16_local(chains) * per_width;
  barrier(CLK_LOCAL_MEM_FENCE);
  const float mean = means[0];
  for (uint c = me; c < 16; c += GROUP) {
    float chain = 0.0f;
    for (long i = c; i < width; i += 16) {
      const float v = LOAD(X, x, i) - mean;
      chain = fma(v, v, chain);
    }
    chains[c] = chain;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (me == 0) clmx_tree_of_16_local(chains);
  barrier(CLK_LOCAL_MEM_FENCE);
  const float scale = clmx_rsqrt(fma(chains[0], per_width, eps));
  for (long i = me; i < width; i += GROUP)
    store_normed((LOAD(X, x, i) - mean) * scale, w + w_at, b + b_at, out + out_at + row * width, i);
}
#endif
