// MLX 0.32.4's quantize, bit for bit: one work-item per group of GROUP elements of dtype X. Needs
// correctly rounded division and denormals (host/src/probe.hpp); host/src/host_quantize.cpp is the
// same in C++.
#include "common/round.clh"

typedef STORAGE(X) x_t;

#define CODES (32 / BITS)
#define WORDS_PER_GROUP (GROUP / CODES)
#define STEPS ((float)((1u << BITS) - 1u))

// Codes count from the edge of larger magnitude, which is a whole number of scales away from zero.
// They come from the unrounded scale and bias; the stored ones are rounded to X.
kernel void quantize_affine(const global x_t* w, ulong w_at, global uint* packed, ulong packed_at,
                            global x_t* scales, ulong scales_at, global x_t* biases,
                            ulong biases_at, ulong groups) {
  const size_t group = get_global_id(0);
  if (group >= groups) return;
  const global x_t* v = w + w_at + group * GROUP;
  float high = -INFINITY, low = INFINITY;
  for (int i = 0; i < GROUP; i++) {
    const float value = LOAD(X, v, i);
    if (value > high) high = value;
    if (value < low) low = value;
  }
  const bool negative = fabs(low) > fabs(high);
  float scale = (high - low) / STEPS;
  if (!(scale > 1e-7f)) scale = 1e-7f;
  if (!negative) scale = -scale;
  const float edge = negative ? low : high;
  const float steps = rint(edge / scale);
  float bias = 0.0f;
  if (steps != 0.0f) {
    scale = edge / steps;
    bias = edge;
  }
  for (int j = 0; j < WORDS_PER_GROUP; j++) {
    uint word = 0;
    for (int i = 0; i < CODES; i++) {
      const float code = rint((LOAD(X, v, j * CODES + i) - bias) / scale);
      // Written so that NaN becomes 0.
      const float inside = code > 0.0f ? (code < STEPS ? code : STEPS) : 0.0f;
      word |= (uint)inside << (BITS * i);
    }
    packed[packed_at + group * WORDS_PER_GROUP + j] = word;
  }
  STORE(X, scales + scales_at, group, scale);
  STORE(X, biases + biases_at, group, bias);
}

// The first index that minimizes |rT(x - element)|: ties go towards zero, -0 has code 0.
inline uint nearest_e2m1(float x) {
  uint best = 0;
  float least = fabs(x);
  for (uint code = 1; code < 16; code++) {
    const uint m = code & 7u;
    const float magnitude = m < 2u ? 0.5f * (float)m : as_float((m << 22) + 0x3f000000u);
    const float distance = fabs(ROUND(X, x - (code < 8u ? magnitude : -magnitude)));
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

// MLX does not clamp the exponent byte: the scale 2^-128 of a group below 6 * 2^-127 wraps around
// to byte 255.
#define WRAP_SUBNORMAL_SCALES 1

kernel void quantize_mxfp4(const global x_t* w, ulong w_at, global uint* packed, ulong packed_at,
                           global uchar* scales, ulong scales_at, ulong groups) {
  const size_t group = get_global_id(0);
  if (group >= groups) return;
  const global x_t* v = w + w_at + group * GROUP;
  float largest = 0.0f;
  for (int i = 0; i < GROUP; i++) largest = fmax(largest, fabs(LOAD(X, v, i)));
  const float ratio = ROUND(X, largest / 6.0f);
  int exponent = ratio == 0.0f ? 0 : exponent_not_below(ratio);
#if !WRAP_SUBNORMAL_SCALES
  exponent = max(exponent, -127);
#endif
  const float scale = ROUND(X, exponent >= -126 ? as_float((uint)(exponent + 127) << 23)
                                                : as_float(1u << max(exponent + 149, 0)));
  for (int j = 0; j < WORDS_PER_GROUP; j++) {
    uint word = 0;
    for (int i = 0; i < CODES; i++)
      word |= nearest_e2m1(ROUND(X, LOAD(X, v, j * CODES + i) / scale)) << (BITS * i);
    packed[packed_at + group * WORDS_PER_GROUP + j] = word;
  }
  scales[scales_at + group] = (uchar)((uint)(exponent + 127) & 255u);
}
