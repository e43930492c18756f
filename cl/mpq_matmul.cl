// y = x W^T (+ bias) over an MPQ layer's rows, whose scales and zeros are codes themselves: of
// group g and channel n the byte statistic[g N + n], its high nibble a scale, its low one a zero,
// each with a second-level zero and scale (f16) for every `shared` channels:
//   scale = r16(r16(high - scales_zeros) scales_scales), zero likewise (host/mpq.hpp).
// In the canonical order (see qmv.cl), so the bits are those of the product with the expanded
// scales and biases = -zeros. The words may be those of some rows only, from row `from` on. One
// work-item per element of y: grid (these rows, rows of x).
#include "common/epilogue.clh"
#include "common/round.clh"
#include "common/tree.clh"
#include "common/unpack.clh"

typedef STORAGE(X) x_t;

#define DEPTH 32  // of the tree: any number of blocks

inline float second_level(uint code, const global half* zeros, const global half* scales,
                          size_t cell) {
  const float difference = ROUND(f16, convert_float(code) - LOAD(f16, zeros, cell));
  return ROUND(f16, difference * LOAD(f16, scales, cell));
}

kernel void mpq_matmul(const global x_t* x, ulong x_at, const global uint* words, ulong words_at,
                       const global uchar* statistic, ulong statistic_at,
                       const global half* scales_zeros, ulong scales_zeros_at,
                       const global half* scales_scales, ulong scales_scales_at,
                       const global half* zeros_zeros, ulong zeros_zeros_at,
                       const global half* zeros_scales, ulong zeros_scales_at,
                       const global bias_t* bias, ulong bias_at, global y_t* y, ulong y_at,
                       int rows, int width, int shared, int from, int count) {
  const int part_row = (int)get_global_id(0), n = from + part_row;
  const size_t m = get_global_id(1);
  if (part_row >= count) return;
  const int groups = width / GROUP, blocks = (width + BLOCK - 1) / BLOCK;
  const global uint* row = words + words_at + (size_t)part_row * (width / CODES);
  const global x_t* x_row = x + x_at + m * width;
  float stack[DEPTH];
  int top = 0;
  for (int block = 0; block < blocks; block++) {
    const int first = block * GROUPS_PER_BLOCK, last = min(first + GROUPS_PER_BLOCK, groups);
    float t = 0.0f, u = 0.0f;
    for (int g = first; g < last; g++) {
      float a = 0.0f, sum = 0.0f;
      for (int j = g * WORDS_PER_GROUP; j < (g + 1) * WORDS_PER_GROUP; j++) {
        const uint word = row[j];
        for (int i = 0; i < CODES; i++) {
          const float v = LOAD(X, x_row, j * CODES + i);
          a = fma(ELEMENT((word >> (BITS * i)) & CODE_MASK), v, a);
          sum = sum + v;
        }
      }
      const uint codes = statistic[statistic_at + (size_t)g * rows + n];
      const size_t cell = ((size_t)g * rows + n) / shared;
      t = fma(second_level(codes >> 4, scales_zeros + scales_zeros_at,
                           scales_scales + scales_scales_at, cell),
              a, t);
      u = fma(-second_level(codes & 15u, zeros_zeros + zeros_zeros_at,
                            zeros_scales + zeros_scales_at, cell),
              sum, u);
    }
    float p = t + u;
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--) p = stack[--top] + p;
    stack[top++] = p;
  }
  finish(stack[0], n, bias + bias_at, y + y_at + m * rows);
}
