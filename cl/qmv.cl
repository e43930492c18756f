// y = x W^T (+ bias) for one or a few rows x, over the prepared layout, in the canonical order:
// blocks of 256 k, in them groups, t = fma(scale, sum code x, t) and u = fma(bias, sum x, u),
// p = t + u, and the tree over blocks. One work-item per work-group; each takes an equal run of row
// blocks and walks ROWS rows at once, so the words are one stream.
#include "common/epilogue.clh"
#include "common/prepared.clh"
#include "common/tree.clh"

typedef STORAGE(X) x_t;
typedef STORAGE(S) s_t;
typedef STORAGE(B) b_t;

#define DEPTH 16  // of the tree: up to 2^15 blocks

// Codes stay in place in their word while x carries the inverse power of two, which saves the
// shift. That is exact unless x becomes subnormal: see stage_x.
#define IN_PLACE(words, i)                                                            \
  ((i) < CODES - 1 ? convert_float16(as_int16((words) & (CODE_MASK << (BITS * (i))))) \
                   : convert_float16(as_int16((words) >> (32 - BITS))))

// Sums of x over each group, ascending; eight groups side by side, because a scalar sum may be
// reordered by a compiler's loop vectorizer.
INLINE void sum_groups(const global float* x, global float* sums, int groups) {
  for (int g = 0; g < groups; g += 8) {
    const int last = groups - 1;
    const global float* p0 = x + min(g, last) * GROUP;
    const global float* p1 = x + min(g + 1, last) * GROUP;
    const global float* p2 = x + min(g + 2, last) * GROUP;
    const global float* p3 = x + min(g + 3, last) * GROUP;
    const global float* p4 = x + min(g + 4, last) * GROUP;
    const global float* p5 = x + min(g + 5, last) * GROUP;
    const global float* p6 = x + min(g + 6, last) * GROUP;
    const global float* p7 = x + min(g + 7, last) * GROUP;
    float8 sum = 0.0f;
    for (int j = 0; j < GROUP; j++)
      sum = sum + (float8)(p0[j], p1[j], p2[j], p3[j], p4[j], p5[j], p6[j], p7[j]);
    vstore8(sum, 0, sums + g);
  }
}

// Copies x as float to `staged`, sums its groups, and scales it for IN_PLACE. Returns false,
// leaving x unscaled, when some 0 < |x| < 2^-102 would not survive the scaling; and for codes of 1
// and 2 bits, which would take too many powers of two.
INLINE bool stage_x(const global x_t* x, global float* staged, global float* sums, int width) {
  uint8 smallest = 0xffffffffu;
  for (int k = 0; k < width; k += 8) {
    const float8 v = LOAD8(X, x, k / 8);
    smallest = min(smallest, (as_uint8(v) << 1) - 1u);
    vstore8(v, 0, staged + k);
  }
  if (!AFFINE) return false;
  sum_groups(staged, sums, width / GROUP);
  if (BITS < 4) return false;
  const uint4 four = min(smallest.lo, smallest.hi);
  const uint2 two = min(four.lo, four.hi);
  if (min(two.x, two.y) < (25u << 24) - 1u) return false;
  const float8 scale =
      BITS == 4 ? (float8)(1.0f, 0x1p-4f, 0x1p-8f, 0x1p-12f, 0x1p-16f, 0x1p-20f, 0x1p-24f, 1.0f)
                : (float8)(1.0f, 0x1p-8f, 0x1p-16f, 1.0f, 1.0f, 0x1p-8f, 0x1p-16f, 1.0f);
  for (int k = 0; k < width; k += 8) vstore8(vload8(0, staged + k) * scale, 0, staged + k);
  return true;
}

// p = the block's sums for ROWS rows. `in_place` is a literal at each call, so each call has one
// kind of code.
INLINE void block_sums(const global uint* words, const global s_t* scales, const global b_t* biases,
                       const global float* x, const global float* sums, int groups, bool in_place,
                       float16* p) {
  float16 t[CHAINS], u[CHAINS], a[CHAINS];
  uint16 w[CHAINS];
#pragma unroll
  for (int c = 0; c < CHAINS; c++) t[c] = u[c] = 0.0f;
  for (int g = 0; g < groups; g++) {
#pragma unroll
    for (int c = 0; c < CHAINS; c++) a[c] = 0.0f;
    for (int j = 0; j < WORDS_PER_GROUP; j++) {
#pragma unroll
      for (int c = 0; c < CHAINS; c++) {
        w[c] = vload16(c, words);
        PREFETCH_WORDS(words + 16 * c);
      }
#pragma unroll
      for (int i = 0; i < CODES; i++) {
        const float16 xv = x[i];
#pragma unroll
        for (int c = 0; c < CHAINS; c++)
          a[c] = fma(in_place ? IN_PLACE(w[c], i) : ELEMENT16(w[c], i), xv, a[c]);
      }
      words += ROWS;
      x += CODES;
    }
#pragma unroll
    for (int c = 0; c < CHAINS; c++) t[c] = fma(LOAD16(S, scales, c), a[c], t[c]);
#if AFFINE
    const float16 sum = sums[g];
#pragma unroll
    for (int c = 0; c < CHAINS; c++) u[c] = fma(LOAD16(B, biases, c), sum, u[c]);
    biases += ROWS;
#endif
    scales += ROWS;
  }
#pragma unroll
  for (int c = 0; c < CHAINS; c++) p[c] = AFFINE ? t[c] + u[c] : t[c];
}

// y = the product's ROWS rows.
INLINE void row_block(const global uint* words, const global s_t* scales, const global b_t* biases,
                      const global float* x, const global float* sums, int width, bool in_place,
                      float16* y) {
  float16 stack[DEPTH * CHAINS];
  int top = 0;
  const int groups = width / GROUP;
  const int blocks = (width + BLOCK - 1) / BLOCK;
  for (int block = 0; block < blocks; block++) {
    const int first = block * GROUPS_PER_BLOCK;
    const size_t at = (size_t)first * ROWS;
    float16 p[CHAINS];
    block_sums(words + at * WORDS_PER_GROUP, scales + at, biases + at, x + first * GROUP,
               sums + first, min(GROUPS_PER_BLOCK, groups - first), in_place, p);
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--) {
      top--;
#pragma unroll
      for (int c = 0; c < CHAINS; c++) p[c] = stack[top * CHAINS + c] + p[c];
    }
#pragma unroll
    for (int c = 0; c < CHAINS; c++) stack[top * CHAINS + c] = p[c];
    top++;
  }
#pragma unroll
  for (int c = 0; c < CHAINS; c++) y[c] = stack[c];
}

// Grid: work-groups that share the row blocks out, rows of x. y: [rows of x, stride]. scratch: per
// work-group, width floats for x and its group sums, rounded up to 8.
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void qmv(
    const global x_t* restrict x, ulong x_at, const global uint* restrict words, ulong words_at,
    const global s_t* restrict scales, ulong scales_at, const global b_t* restrict biases,
    ulong biases_at, const global bias_t* restrict bias, ulong bias_at,
    global float* restrict scratch, ulong scratch_at, global y_t* restrict y, ulong y_at, int rows,
    int stride, int width) {
  const int groups = width / GROUP;
  const size_t share = (size_t)width + (groups + 7) / 8 * 8;
  const size_t m = get_group_id(1);
  global float* staged = scratch + scratch_at + (m * get_num_groups(0) + get_group_id(0)) * share;
  global float* sums = staged + width;
  const bool in_place = stage_x(x + x_at + m * width, staged, sums, width);

  const long row_blocks = (rows + ROWS - 1) / ROWS;
  const long begin = row_blocks * get_group_id(0) / get_num_groups(0);
  const long end = row_blocks * (get_group_id(0) + 1) / get_num_groups(0);
  for (long b = begin; b < end; b++) {
    const size_t at = (size_t)b * groups * ROWS;
    const global uint* w = words + words_at + at * WORDS_PER_GROUP;
    const global s_t* s = scales + scales_at + at;
    const global b_t* z = biases + biases_at + at;
    float16 product[CHAINS];
    if (in_place)
      row_block(w, s, z, staged, sums, width, true, product);
    else
      row_block(w, s, z, staged, sums, width, false, product);
    for (int c = 0; c < CHAINS; c++)
      finish16(product[c], b * ROWS + c * 16, rows, bias + bias_at, y + y_at + m * stride);
  }
}
