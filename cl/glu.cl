// out = gate sigmoid(gate) x, rounded once; with CLIPPED out = g sigmoid(alpha g) (y + 1), where g
// is the gate, but at most limit, and y is x clipped to [-limit, limit]. The result is n elements
// in rows of `inner`; a row of gate and of x starts every `stride` elements. A work-item takes
// per_item neighbouring results.
#include "common/dtype.clh"
#include "common/math.clh"
#if WIDE
#include "common/wide.clh"
#endif

typedef STORAGE(G) g_t;
typedef STORAGE(X) x_t;
typedef STORAGE(Y) y_t;

#if CLIPPED
#define PARAMETERS , float alpha, float limit
#define ARGUMENTS , alpha, limit
// NaN stays NaN.
#define DEFINE_GATED(name, F, sigmoid_of)                  \
  inline F name(F gate, F x, float alpha, float limit) {   \
    const F most = limit, least = -limit;                  \
    const F g = select(gate, most, gate > most);           \
    const F below = select(x, most, x > most);             \
    const F clipped = select(below, least, below < least); \
    return g * sigmoid_of(g * alpha) * (clipped + 1.0f);   \
  }
#else
#define PARAMETERS
#define ARGUMENTS
#define DEFINE_GATED(name, F, sigmoid_of) \
  inline F name(F gate, F x) {            \
    return gate * sigmoid_of(gate) * x;   \
  }
#endif

DEFINE_GATED(gated, float, clmx_sigmoid)
#if WIDE
DEFINE_GATED(gated16, float16, clmx_sigmoid16)
#endif

inline void gated_row(const global g_t* gate, const global x_t* x, global y_t* out,
                      long n PARAMETERS) {
  long i = 0;
#if WIDE
  for (; i + 16 <= n; i += 16) {
    const float16 g = LOAD16(G, gate, i), v = LOAD16(X, x, i);
    STORE16(Y, out, i, gated16(g, v ARGUMENTS));
  }
#endif
  for (; i < n; i++) {
    const float g = LOAD(G, gate, i), v = LOAD(X, x, i);
    STORE(Y, out, i, gated(g, v ARGUMENTS));
  }
}

kernel void swiglu(const global g_t* gate, ulong gate_at, const global x_t* x, ulong x_at,
                   global y_t* out, ulong out_at, long n, long per_item, long inner,
                   long stride PARAMETERS) {
  long i = (long)get_global_id(0) * per_item;
  const long last = min(n, i + per_item);
  while (i < last) {
    const long row = i / inner, column = i - row * inner;
    const long count = min(inner - column, last - i);
    const long from = row * stride + column;
    gated_row(gate + gate_at + from, x + x_at + from, out + out_at + i, count ARGUMENTS);
    i += count;
  }
}
