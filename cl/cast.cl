// out[i] = x[i] in dtype Y. Floats round to nearest even; float to integer truncates and saturates,
// NaN gives 0; integer to integer keeps the low bits. A work-item takes per_item neighbouring
// elements.
#include "common/dtype.clh"
#if WIDE
#include "common/wide.clh"
#endif

typedef STORAGE(X) x_t;
typedef STORAGE(Y) y_t;

#define IS_FLOAT_f32 1
#define IS_FLOAT_f16 1
#define IS_FLOAT_bf16 1
#define IS_FLOAT_u8 0
#define IS_FLOAT_u32 0
#define IS_FLOAT_i32 0

#define SATURATED_u8(v) convert_uchar_sat_rtz(v)
#define SATURATED_u32(v) convert_uint_sat_rtz(v)
#define SATURATED_i32(v) convert_int_sat_rtz(v)

kernel void cast(const global x_t* x, ulong x_at, global y_t* out, ulong out_at, long n,
                 long per_item) {
  x += x_at;
  out += out_at;
  long i = (long)get_global_id(0) * per_item;
  const long last = min(n, i + per_item);
#if CLMX_PASTE(IS_FLOAT_, Y)
#if WIDE && CLMX_PASTE(IS_FLOAT_, X)
  for (; i + 16 <= last; i += 16) STORE16(Y, out, i, LOAD16(X, x, i));
#endif
  for (; i < last; i++) STORE(Y, out, i, LOAD(X, x, i));
#elif CLMX_PASTE(IS_FLOAT_, X)
  for (; i < last; i++) {
    const float v = LOAD(X, x, i);
    out[i] = (as_uint(v) & 0x7fffffffu) > 0x7f800000u ? 0 : CLMX_PASTE(SATURATED_, Y)(v);
  }
#else
  for (; i < last; i++) out[i] = (y_t)x[i];
#endif
}
