// out = gate sigmoid(gate) x, rounded once. The result is n elements in rows of `inner`; a row of
// gate and of x starts every `stride` elements. A work-item takes per_item neighbouring results.
#include "common/dtype.clh"
#include "common/math.clh"
#if WIDE
#include "common/wide.clh"
#endif

typedef STORAGE(G) g_t;
typedef STORAGE(X) x_t;
typedef STORAGE(Y) y_t;

inline void swiglu_row(const global g_t* gate, const global x_t* x, global y_t* out, long n) {
  long i = 0;
#if WIDE
  for (; i + 16 <= n; i += 16) {
    const float16 g = LOAD16(G, gate, i);
    STORE16(Y, out, i, g * clmx_sigmoid16(g) * LOAD16(X, x, i));
  }
#endif
  for (; i < n; i++) {
    const float g = LOAD(G, gate, i);
    STORE(Y, out, i, g * clmx_sigmoid(g) * LOAD(X, x, i));
  }
}

kernel void swiglu(const global g_t* gate, ulong gate_at, const global x_t* x, ulong x_at,
                   global y_t* out, ulong out_at, long n, long per_item, long inner, long stride) {
  long i = (long)get_global_id(0) * per_item;
  const long last = min(n, i + per_item);
  while (i < last) {
    const long row = i / inner, column = i - row * inner;
    const long count = min(inner - column, last - i);
    const long from = row * stride + column;
    swiglu_row(gate + gate_at + from, x + x_at + from, out + out_at + i, count);
    i += count;
  }
}
