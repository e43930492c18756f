// E4M3 codes of floats of dtype T, and back. A work-item takes per_item neighbouring elements.
#include "common/dtype.clh"
#include "common/minifloat.clh"

typedef STORAGE(T) t_t;

kernel void to_fp8(const global t_t* x, ulong x_at, global uchar* out, ulong out_at, long n,
                   long per_item) {
  const long first = (long)get_global_id(0) * per_item, last = min(n, first + per_item);
  for (long i = first; i < last; i++) out[out_at + i] = (uchar)clmx_to_e4m3(LOAD(T, x + x_at, i));
}

kernel void from_fp8(const global uchar* x, ulong x_at, global t_t* out, ulong out_at, long n,
                     long per_item) {
  const long first = (long)get_global_id(0) * per_item, last = min(n, first + per_item);
  for (long i = first; i < last; i++) STORE(T, out + out_at, i, clmx_e4m3(x[x_at + i]));
}
