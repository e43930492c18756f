// y = x W^T (+ bias) for many rows x, over the prepared layout, in the canonical order (see
// qmv.cl). pack_x lays TOKENS rows of x side by side, qmm multiplies such a tile by 32 rows of the
// weight in registers, decoding codes as it goes.
#include "common/epilogue.clh"
#include "common/prepared.clh"
#include "common/tree.clh"

typedef STORAGE(X) x_t;
typedef STORAGE(S) s_t;
typedef STORAGE(B) b_t;

#define TOKENS 8
#define HALVES 2  // vectors of 16 rows that a tile takes at once
#define PANEL (16 * HALVES)
#define TILE (HALVES * TOKENS)  // vectors of sums in a tile
#define DEPTH 16                // of the tree: up to 2^15 blocks

// packed[tile][k][TOKENS] = x, sums[tile][group][TOKENS] = its group sums, ascending. Rows beyond
// `count` repeat the last. Work-items: one per tile and block of 256 k.
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void pack_x(
    const global x_t* restrict x, ulong x_at, global float* restrict packed, ulong packed_at,
    global float* restrict sums, ulong sums_at, int count, int width) {
  const size_t tile = get_group_id(0);
  const int first = get_group_id(1) * BLOCK, end = min(first + BLOCK, width);
  global float* to = packed + packed_at + tile * width * TOKENS;
  global float* sum = sums + sums_at + tile * (width / GROUP) * TOKENS;
  for (int g = first / GROUP; g < end / GROUP; g++) {
    float8 total = 0.0f;
    for (int k = g * GROUP; k < (g + 1) * GROUP; k += 8) {
      float row[TOKENS * 8];
      for (int m = 0; m < TOKENS; m++) {
        const size_t at = x_at + min((int)tile * TOKENS + m, count - 1) * (size_t)width + k;
        vstore8(LOAD8(X, x + at, 0), m, row);
      }
      for (int i = 0; i < 8; i++) {
        const float8 column = (float8)(row[i], row[8 + i], row[16 + i], row[24 + i], row[32 + i],
                                       row[40 + i], row[48 + i], row[56 + i]);
        total = total + column;
        vstore8(column, k + i, to);
      }
    }
    vstore8(total, g, sum);
  }
}

// p = the block's sums, p[HALVES * m + h] for token m and rows 16 h ..; words, scales, biases point
// at the first half.
INLINE void block_tile(const global uint* words, const global s_t* scales, const global b_t* biases,
                       const global float* x, const global float* sums, int groups, float16* p) {
  float16 a[TILE], u[TILE];
#pragma unroll
  for (int i = 0; i < TILE; i++) p[i] = u[i] = 0.0f;
  for (int g = 0; g < groups; g++) {
#pragma unroll
    for (int i = 0; i < TILE; i++) a[i] = 0.0f;
    for (int j = 0; j < WORDS_PER_GROUP; j++) {
      const uint16 low = vload16(0, words), high = vload16(1, words);
      PREFETCH_WORDS(words);
#pragma unroll
      for (int i = 0; i < CODES; i++) {
        const float16 c0 = ELEMENT16(low, i), c1 = ELEMENT16(high, i);
#pragma unroll
        for (int m = 0; m < TOKENS; m++) {
          const float16 xv = x[i * TOKENS + m];
          a[HALVES * m] = fma(c0, xv, a[HALVES * m]);
          a[HALVES * m + 1] = fma(c1, xv, a[HALVES * m + 1]);
        }
      }
      words += ROWS;
      x += CODES * TOKENS;
    }
    const float16 s0 = LOAD16(S, scales, 0), s1 = LOAD16(S, scales, 1);
#pragma unroll
    for (int m = 0; m < TOKENS; m++) {
      p[HALVES * m] = fma(s0, a[HALVES * m], p[HALVES * m]);
      p[HALVES * m + 1] = fma(s1, a[HALVES * m + 1], p[HALVES * m + 1]);
    }
    scales += ROWS;
  }
#if AFFINE
  for (int g = 0; g < groups; g++) {
    const float16 b0 = LOAD16(B, biases, 0), b1 = LOAD16(B, biases, 1);
#pragma unroll
    for (int m = 0; m < TOKENS; m++) {
      const float16 sum = sums[g * TOKENS + m];
      u[HALVES * m] = fma(b0, sum, u[HALVES * m]);
      u[HALVES * m + 1] = fma(b1, sum, u[HALVES * m + 1]);
    }
    biases += ROWS;
  }
#pragma unroll
  for (int i = 0; i < TILE; i++) p[i] = p[i] + u[i];
#endif
}

// stack[0 .. TILE) = the products of a tile with 32 rows.
INLINE void tile_product(const global uint* words, const global s_t* scales,
                         const global b_t* biases, const global float* x, const global float* sums,
                         int width, float16* stack) {
  const int groups = width / GROUP;
  const int blocks = (width + BLOCK - 1) / BLOCK;
  int top = 0;
  for (int block = 0; block < blocks; block++) {
    const int first = block * GROUPS_PER_BLOCK;
    const size_t at = (size_t)first * ROWS;
    float16 p[TILE];
    block_tile(words + at * WORDS_PER_GROUP, scales + at, biases + at, x + first * GROUP * TOKENS,
               sums + first * TOKENS, min(GROUPS_PER_BLOCK, groups - first), p);
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--) {
      top--;
#pragma unroll
      for (int i = 0; i < TILE; i++) p[i] = stack[top * TILE + i] + p[i];
    }
#pragma unroll
    for (int i = 0; i < TILE; i++) stack[top * TILE + i] = p[i];
    top++;
  }
}

// Work-groups of one item: grid (row blocks, chunks of `chunk` tiles). All rows of the block are
// multiplied by a tile before the next, so the tile stays in the nearest cache. y has `count` rows
// that are `stride` elements apart.
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void qmm(
    const global float* restrict packed, ulong packed_at, const global float* restrict sums,
    ulong sums_at, const global uint* restrict words, ulong words_at,
    const global s_t* restrict scales, ulong scales_at, const global b_t* restrict biases,
    ulong biases_at, const global bias_t* restrict bias, ulong bias_at, global y_t* restrict y,
    ulong y_at, int rows, int stride, int width, int count, int chunk) {
  const int groups = width / GROUP;
  const size_t block_at = get_group_id(0) * groups * ROWS;
  const int first = (int)get_group_id(1) * chunk;
  const int end = min(first + chunk, (count + TOKENS - 1) / TOKENS);
  float16 stack[DEPTH * TILE];
  for (int tile = first; tile < end; tile++)
    for (int panel = 0; panel < ROWS; panel += PANEL) {
      tile_product(words + words_at + block_at * WORDS_PER_GROUP + panel,
                   scales + scales_at + block_at + panel, biases + biases_at + block_at + panel,
                   packed + packed_at + (size_t)tile * width * TOKENS,
                   sums + sums_at + (size_t)tile * groups * TOKENS, width, stack);
      for (int i = 0; i < TILE && tile * TOKENS + i / HALVES < count; i++)
        finish16(stack[i], (long)get_group_id(0) * ROWS + panel + i % HALVES * 16, rows,
                 bias + bias_at, y + y_at + (size_t)(tile * TOKENS + i / HALVES) * stride);
    }
}
