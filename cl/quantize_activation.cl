// What a product with quantized activations makes of x: every group rounded to the format and back,
// rX(scale * element), all in f32; elements of E2M1 to the nearest, ties to even, with the sign of
// zero kept. One work-item per group of GROUP elements of dtype X. Constants: MODE (1 mxfp4, 2
// mxfp8, 3 nvfp4); GLOBAL: global_scale[0] is multiplied into the scales. Needs correctly rounded
// division and denormals (host/src/probe.hpp); host/src/host_activation.cpp is the same in C++.
#include "common/dtype.clh"
#include "common/minifloat.clh"

typedef STORAGE(X) x_t;

#define LARGEST (MODE == 2 ? 448.0f : 6.0f)

// The smallest power of two that is not below ratio; 2^-127 for 0.
inline float power_not_below(float ratio) {
  const uint bits = as_uint(ratio), mantissa = bits & 0x007fffffu;
  if (bits == 0u) return as_float(0x00400000u);
  if (bits > mantissa) return as_float((bits - mantissa) + (mantissa != 0u ? 0x00800000u : 0u));
  const uint top = 1u << (31u - clz(mantissa));
  return as_float(top == mantissa ? top : top << 1);
}

// By thresholds, each on the side of the even code.
inline float to_e2m1_and_back(float x) {
  const float a = fabs(x);
  const float magnitude = a > 5.0f     ? 6.0f
                          : a >= 3.5f  ? 4.0f
                          : a > 2.5f   ? 3.0f
                          : a >= 1.75f ? 2.0f
                          : a > 1.25f  ? 1.5f
                          : a >= 0.75f ? 1.0f
                          : a > 0.25f  ? 0.5f
                                       : 0.0f;
  return copysign(magnitude, x);
}

kernel void quantize_activation(const global x_t* x, ulong x_at, const global float* global_scale,
                                ulong global_at, global x_t* y, ulong y_at, ulong groups) {
  const size_t group = get_global_id(0);
  if (group >= groups) return;
  const global x_t* from = x + x_at + group * GROUP;
  global x_t* to = y + y_at + group * GROUP;
  float largest = 0.0f;
  for (int i = 0; i < GROUP; i++) largest = fmax(largest, fabs(LOAD(X, from, i)));
  const float ratio = largest / LARGEST;
#if GLOBAL
  const float encode = 2688.0f / global_scale[global_at],
              decode = global_scale[global_at] / 2688.0f;
#else
  const float encode = 1.0f, decode = 1.0f;
#endif
#if MODE == 3
  const float divisor = clmx_e4m3(clmx_to_e4m3(ratio * encode)), scale = divisor * decode;
#else
  const float divisor = power_not_below(ratio), scale = divisor;
#endif
  for (int i = 0; i < GROUP; i++) {
    const float z = divisor == 0.0f ? 0.0f : (LOAD(X, from, i) / divisor) * encode;
#if MODE == 2
    STORE(X, to, i, scale * clmx_e4m3(clmx_to_e4m3(z)));
#else
    STORE(X, to, i, scale * to_e2m1_and_back(z));
#endif
  }
}
