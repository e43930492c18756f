// out = a + b or a * b over broadcast shapes, computed in f32 and rounded once. Constants: A, B, Y
// dtypes; ADD (1: sum, 0: product); WIDE. A work-item takes per_item neighbouring results.
#include "common/dtype.clh"
#if WIDE
#include "common/wide.clh"
#endif

typedef STORAGE(A) a_t;
typedef STORAGE(B) b_t;
typedef STORAGE(Y) y_t;

#if ADD
#define COMBINE(x, y) ((x) + (y))
#else
#define COMBINE(x, y) ((x) * (y))
#endif

// Results [0, n) of one row; an operand whose step is 0 has one element for the whole row.
inline void combine(const global a_t* a, long a_step, const global b_t* b, long b_step,
                    global y_t* out, long n) {
  long i = 0;
#if WIDE
  const float16 a_all = LOAD(A, a, 0), b_all = LOAD(B, b, 0);
  for (; i + 16 <= n; i += 16) {
    const float16 x = a_step ? LOAD16(A, a, i) : a_all;
    const float16 y = b_step ? LOAD16(B, b, i) : b_all;
    STORE16(Y, out, i, COMBINE(x, y));
  }
#endif
  for (; i < n; i++) {
    const float x = LOAD(A, a, i * a_step), y = LOAD(B, b, i * b_step);
    STORE(Y, out, i, COMBINE(x, y));
  }
}

// The result is `n` elements in rows of `inner`. Where a row of a and b starts: row * stride for up
// to one outer axis; for more, plan holds (size, stride of a, stride of b) per outer axis, the
// innermost first.
kernel void binary(const global a_t* a, ulong a_at, const global b_t* b, ulong b_at,
                   const global long* plan, ulong plan_at, global y_t* out, ulong out_at, long n,
                   long per_item, long inner, long a_step, long b_step, int axes, long a_stride,
                   long b_stride) {
  long i = (long)get_global_id(0) * per_item;
  const long last = min(n, i + per_item);
  while (i < last) {
    const long row = i / inner, column = i - row * inner;
    const long count = min(inner - column, last - i);
    long a_row = row * a_stride, b_row = row * b_stride;
    if (axes > 1) {
      a_row = b_row = 0;
      long rest = row;
      for (int axis = 0; axis < axes; axis++) {
        const global long* entry = plan + plan_at + 3 * axis;
        const long outer = rest / entry[0], at = rest - outer * entry[0];
        a_row += at * entry[1];
        b_row += at * entry[2];
        rest = outer;
      }
    }
    combine(a + a_at + a_row + column * a_step, a_step, b + b_at + b_row + column * b_step, b_step,
            out + out_at + i, count);
    i += count;
  }
}
