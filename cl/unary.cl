// out[i] = f(x[i]), rounded once, where the constant FUNCTION is clmx_f of common/gelu.clh,
// common/math.clh or of the functions below. A work-item takes per_item neighbouring elements.
#include "common/dtype.clh"
#include "common/gelu.clh"
#if WIDE
#include "common/wide.clh"
#endif

typedef STORAGE(X) x_t;

#define DEFINE_FUNCTIONS(F, end)                                 \
  inline F CLMX_JOIN(clmx_silu, end)(F v) {                      \
    return v * CLMX_JOIN(clmx_sigmoid, end)(v);                  \
  }                                                              \
  inline F CLMX_JOIN(clmx_relu, end)(F v) {                      \
    return select((F)0.0f, v, isgreater(v, (F)0.0f) | isnan(v)); \
  }

DEFINE_FUNCTIONS(float, )
#if WIDE
DEFINE_FUNCTIONS(float16, 16)
#endif

kernel void unary(const global x_t* x, ulong x_at, global x_t* out, ulong out_at, long n,
                  long per_item) {
  x += x_at;
  out += out_at;
  long i = (long)get_global_id(0) * per_item;
  const long last = min(n, i + per_item);
#if WIDE
  for (; i + 16 <= last; i += 16) {
    const float16 v = LOAD16(X, x, i);
    STORE16(X, out, i, CLMX_JOIN(FUNCTION, 16)(v));
  }
#endif
  for (; i < last; i++) {
    const float v = LOAD(X, x, i);
    STORE(X, out, i, FUNCTION(v));
  }
}
