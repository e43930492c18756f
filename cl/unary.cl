// out[i] = x[i] sigmoid(x[i]), rounded once. A work-item takes per_item neighbouring elements.
#include "common/dtype.clh"
#include "common/math.clh"
#if WIDE
#include "common/wide.clh"
#endif

typedef STORAGE(X) x_t;

kernel void silu(const global x_t* x, ulong x_at, global x_t* out, ulong out_at, long n,
                 long per_item) {
  x += x_at;
  out += out_at;
  long i = (long)get_global_id(0) * per_item;
  const long last = min(n, i + per_item);
#if WIDE
  for (; i + 16 <= last; i += 16) {
    const float16 v = LOAD16(X, x, i);
    STORE16(X, out, i, v * clmx_sigmoid16(v));
  }
#endif
  for (; i < last; i++) {
    const float v = LOAD(X, x, i);
    STORE(X, out, i, v * clmx_sigmoid(v));
  }
}
