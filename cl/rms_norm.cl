// out = round_Y(x / sqrt(mean(x^2) + eps)) w. With ADD, x is round_X(a + b), which is also written
// to `sum`. Constants: X, W, Y dtypes (with ADD also A and B); HAS_WEIGHT, ADD; WIDE: one work-item
// takes per_item rows, else one work-group of GROUP items a row.
#include "common/math.clh"
#include "common/reduce.clh"
#include "common/round.clh"
#if WIDE
#include "common/wide.clh"
#endif

typedef STORAGE(X) x_t;
typedef STORAGE(W) w_t;
typedef STORAGE(Y) y_t;
#if ADD
typedef STORAGE(A) a_t;
typedef STORAGE(B) b_t;
#define ADDED_PARAMETERS const global a_t *a, ulong a_at, const global b_t *b, ulong b_at, global
#else
#define ADDED_PARAMETERS const global
#endif

#if HAS_WEIGHT
#define WEIGHTED(v, i) ((v)*LOAD(W, w, i))
#define WEIGHTED16(v, i) ((v)*LOAD16(W, w, i))
#else
#define WEIGHTED(v, i) (v)
#define WEIGHTED16(v, i) (v)
#endif

#if WIDE
// Row `row` of x; the tail's missing elements add +0 to their chains.
inline void norm_row(const global x_t* x, const global w_t* w, global y_t* out, long width,
                     float per_width, float eps) {
  const long whole = width & ~15L;
  float16 chains = 0.0f;
  for (long i = 0; i < whole; i += 16) {
    const float16 v = LOAD16(X, x, i);
    chains = fma(v, v, chains);
  }
  if (whole < width) {
    float16 v;
    LOAD16_PART(X, x, whole, width - whole, v);
    chains = fma(v, v, chains);
  }
  const float scale = clmx_rsqrt(fma(clmx_tree16(chains), per_width, eps));
  for (long i = 0; i < whole; i += 16)
    STORE16(Y, out, i, WEIGHTED16(ROUND16(Y, LOAD16(X, x, i) * scale), i));
  for (long i = whole; i < width; i++)
    STORE(Y, out, i, WEIGHTED(ROUND(Y, LOAD(X, x, i) * scale), i));
}

#if ADD
inline void add_row(const global a_t* a, const global b_t* b, global x_t* x, long width) {
  long i = 0;
  for (; i + 16 <= width; i += 16) STORE16(X, x, i, LOAD16(A, a, i) + LOAD16(B, b, i));
  for (; i < width; i++) STORE(X, x, i, LOAD(A, a, i) + LOAD(B, b, i));
}
#endif

kernel void rms_norm(ADDED_PARAMETERS x_t* x, ulong x_at, const global w_t* w, ulong w_at,
                     global y_t* out, ulong out_at, long rows, long width, float per_width,
                     float eps, long per_item) {
  const long first = (long)get_global_id(0) * per_item;
  const long last = min(rows, first + per_item);
  for (long row = first; row < last; row++) {
#if ADD
    add_row(a + a_at + row * width, b + b_at + row * width, x + x_at + row * width, width);
#endif
    norm_row(x + x_at + row * width, w + w_at, out + out_at + row * width, width, per_width, eps);
  }
}
#else
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void rms_norm(
    ADDED_PARAMETERS x_t* x, ulong x_at, const global w_t* w, ulong w_at, global y_t* out,
    ulong out_at, long rows, long width, float per_width, float eps, long per_item) {
  const long row = get_global_id(0) / GROUP;
  const uint me = (uint)get_local_id(0);
  x += x_at + row * width;
  w += w_at;
  out += out_at + row * width;
#if ADD
  a += a_at + row * width;
  b += b_at + row * width;
  for (long i = me; i < width; i += GROUP) STORE(X, x, i, LOAD(A, a, i) + LOAD(B, b, i));
  barrier(CLK_GLOBAL_MEM_FENCE);
#endif
  local float chains[16];
  for (uint c = me; c < 16; c += GROUP) {
    float chain = 0.0f;
    for (long i = c; i < width; i += 16) {
      const float v = LOAD(X, x, i);
      chain = fma(v, v, chain);
    }
    chains[c] = chain;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (me == 0) clmx_tree_of_16_local(chains);
  barrier(CLK_LOCAL_MEM_FENCE);
  const float scale = clmx_rsqrt(fma(chains[0], per_width, eps));
  for (long i = me; i < width; i += GROUP)
    STORE(Y, out, i, WEIGHTED(ROUND(Y, LOAD(X, x, i) * scale), i));
}
#endif
