// MLX 0.32.4's quantize, bit for bit, of elements of dtype X: one work-item per run of RUN
// elements, which is whole groups and whole words. Constants: those of cl/common/unpack.clh without
// S and B. Needs correctly rounded division and denormals (host/src/probe.hpp);
// host/src/host_quantize.cpp is the same in C++.
#include "common/round.clh"
#include "common/unpack.clh"

typedef STORAGE(X) x_t;

#define RUN (GROUP > UNIT ? GROUP : UNIT)

// Words being filled with codes, one after the other.
typedef struct {
  global uint* next;
  uint word, held;
} filling_t;

inline void put_code(private filling_t* out, uint code) {
  out->word |= code << out->held;
  out->held += BITS;
  if (out->held < 32u) return;
  *out->next++ = out->word;
  out->held -= 32u;
  out->word = code >> (BITS - out->held);
}

#if AFFINE
#define STEPS ((float)CODE_MASK)

// Codes count from the edge of larger magnitude, which is a whole number of scales away from zero;
// a single bit counts from the lower edge.
inline float2 scale_and_bias(const global x_t* v) {
  float high = -INFINITY, low = INFINITY;
  for (int i = 0; i < GROUP; i++) {
    const float value = LOAD(X, v, i);
    if (value > high) high = value;
    if (value < low) low = value;
  }
  float scale = (high - low) / STEPS;
  if (!(scale > 1e-7f)) scale = 1e-7f;
#if BITS == 1
  return (float2)(scale, low);
#else
  const bool negative = fabs(low) > fabs(high);
  if (!negative) scale = -scale;
  const float edge = negative ? low : high;
  const float steps = rint(edge / scale);
  return steps != 0.0f ? (float2)(edge / steps, edge) : (float2)(scale, 0.0f);
#endif
}

// Codes come from the unrounded scale and bias; the stored ones are rounded to X.
kernel void quantize_affine(const global x_t* w, ulong w_at, global uint* packed, ulong packed_at,
                            global x_t* scales, ulong scales_at, global x_t* biases,
                            ulong biases_at, ulong runs) {
  const size_t run = get_global_id(0);
  if (run >= runs) return;
  filling_t out = {packed + packed_at + run * (RUN * BITS / 32), 0u, 0u};
  for (size_t group = run * (RUN / GROUP); group < (run + 1) * (RUN / GROUP); group++) {
    const global x_t* v = w + w_at + group * GROUP;
    const float2 found = scale_and_bias(v);
    for (int i = 0; i < GROUP; i++) {
      const float code = rint((LOAD(X, v, i) - found.y) / found.x);
      // Written so that NaN becomes 0.
      put_code(&out, (uint)(code > 0.0f ? (code < STEPS ? code : STEPS) : 0.0f));
    }
    STORE(X, scales + scales_at, group, found.x);
    STORE(X, biases + biases_at, group, found.y);
  }
}
#else

#if MODE == 2
#define LARGEST 448.0f
#else
#define LARGEST 6.0f
#endif

// nvfp4 measures distances in f32, mxfp4 in X.
#if MODE == 3
#define DISTANCE(v) fabs(v)
#else
#define DISTANCE(v) fabs(ROUND(X, v))
#endif

// The first index that minimizes the distance to the element: ties go towards zero, -0 has code 0,
// NaN and infinities too.
inline uint nearest_e2m1(float x) {
  uint best = 0;
  float least = fabs(x);
  for (uint code = 1; code < 16; code++) {
    const float distance = DISTANCE(x - clmx_e2m1(code));
    if (distance < least) {
      least = distance;
      best = code;
    }
  }
  return best;
}

// The smallest e with 2^e >= ratio > 0, by bits.
inline int exponent_not_below(float ratio) {
  const uint bits = as_uint(ratio), mantissa = bits & 0x007fffffu;
  if (bits > mantissa) return (int)(bits >> 23) - 127 + (mantissa != 0u);
  return 32 - (int)clz(mantissa - 1u) - 149;  // subnormal: mantissa * 2^-149
}

// 2^exponent, rounded to X.
inline float power_of_two(int exponent) {
  return ROUND(X, exponent >= -126 ? as_float((uint)(exponent + 127) << 23)
                                   : as_float(1u << max(exponent + 149, 0)));
}

// MLX does not clamp the exponent byte: the scale 2^-128 of a group below 6 * 2^-127 wraps around
// to byte 255.
#define WRAP_SUBNORMAL_SCALES 1

// The byte of a group's scale; `scale` becomes what its elements are divided by.
inline uint scale_byte(float ratio, float encode, private float* scale) {
#if MODE == 3
  const uint byte = clmx_to_e4m3(ratio * encode);
  *scale = ROUND(X, clmx_e4m3(byte));
  return byte;
#else
  int exponent = ratio == 0.0f ? 0 : exponent_not_below(ratio);
#if !WRAP_SUBNORMAL_SCALES
  exponent = max(exponent, -127);
#endif
  *scale = power_of_two(exponent);
  return (uint)(exponent + 127) & 255u;
#endif
}

// encode: 2688 / global_scale in nvfp4, with GLOBAL; else 1.
kernel void quantize_floating(const global x_t* w, ulong w_at, global uint* packed, ulong packed_at,
                              global uchar* scales, ulong scales_at,
                              const global float* global_scale, ulong global_at, ulong runs) {
  const size_t group = get_global_id(0);
  if (group >= runs) return;
#if GLOBAL
  const float encode = 2688.0f / global_scale[global_at];
#else
  const float encode = 1.0f;
#endif
  const global x_t* v = w + w_at + group * GROUP;
  float largest = 0.0f, scale;
  for (int i = 0; i < GROUP; i++) largest = fmax(largest, fabs(LOAD(X, v, i)));
  scales[scales_at + group] = (uchar)scale_byte(ROUND(X, largest / LARGEST), encode, &scale);
  filling_t out = {packed + packed_at + group * (GROUP * BITS / 32), 0u, 0u};
  for (int i = 0; i < GROUP; i++) {
    const float x = ROUND(X, LOAD(X, v, i) / scale) * encode;
    put_code(&out, MODE == 2 ? clmx_to_e4m3(x) : nearest_e2m1(x));
  }
}
#endif
