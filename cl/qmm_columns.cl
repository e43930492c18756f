// y = x W (+ bias), W [depth, columns] quantized along its rows. Per element: blocks of 256 k, each
// the chain t = fma(fma(s, c, b), x_k, t) from +0 (floating modes: t = fma(s c, x_k, t)), and the
// tree over the blocks. A work-item takes a column of TILE rows of y: grid (columns, tiles of rows,
// products); neighbours share words. Constants besides those of common/unpack.clh: TILE; PAIRS, see
// common/pairs.clh. Of the weight's rows, `here` from `first` on are given: whole matrices, and
// only their products are written. Any device.
#include "common/epilogue.clh"
#include "common/pairs.clh"
#include "common/tree.clh"
#include "common/unpack.clh"

typedef STORAGE(X) x_t;
typedef STORAGE(S) s_t;
typedef STORAGE(B) b_t;

#define DEPTH 32  // of the tree: any number of blocks

// What a work-item reads of a row of the weight: one code, with its scale and bias.
typedef struct {
  const global uint* word;
  const global s_t* scale;
  const global b_t* bias;
  uint shift;
  float factor;
} column_t;

inline float weight_at(const column_t* at) {
  uint code = at->word[0] >> at->shift;
#if 32 % BITS != 0
  if (at->shift + BITS > 32u) code |= at->word[1] << (32u - at->shift);
#endif
  const float element = ELEMENT(code & CODE_MASK), scale = SCALE(at->scale, 0, at->factor);
#if AFFINE
  return fma(scale, element, LOAD_SCALE(B, at->bias, 0));
#else
  return scale * element;
#endif
}

kernel void qmm_columns(const global x_t* x, ulong x_at, const global uint* words, ulong words_at,
                        const global s_t* scales, ulong scales_at, const global b_t* biases,
                        ulong biases_at, const global float* factors, ulong factors_at,
                        const global int* pairs, ulong pairs_at, const global bias_t* bias,
                        ulong bias_at, global y_t* y, ulong y_at, int first, int here, int columns,
                        int depth, int x_rows) {
  const int n = (int)get_global_id(0), m = (int)get_global_id(1) * TILE;
  const size_t z = get_global_id(2);
  const int of_x = MATRIX_OF_X(pairs + pairs_at, z), of_w = MATRIX_OF_W(pairs + pairs_at, z);
  const int row = of_w * depth - first;
  if (n >= columns || row < 0 || row >= here) return;
  const int groups = columns / GROUP, row_words = (int)((size_t)columns * BITS / 32);
  const size_t bit = (size_t)n * BITS, group_at = (size_t)row * groups + n / GROUP;
  column_t at = {words + words_at + (size_t)row * row_words + bit / 32,
                 scales + scales_at + group_at, biases + biases_at + group_at, (uint)(bit % 32),
                 FACTOR(factors + factors_at, of_w)};
  const global x_t* from[TILE];
#pragma unroll
  for (int r = 0; r < TILE; r++)  // rows past the last one repeat it
    from[r] = x + x_at + ((size_t)of_x * x_rows + min(m + r, x_rows - 1)) * depth;

  const int blocks = (depth + BLOCK - 1) / BLOCK;
  float stack[DEPTH * TILE];
  int top = 0;
  for (int block = 0; block < blocks; block++) {
    float t[TILE];
#pragma unroll
    for (int r = 0; r < TILE; r++) t[r] = 0.0f;
    const int last = min(depth - block * BLOCK, BLOCK) + block * BLOCK;
    for (int k = block * BLOCK; k < last; k++) {
      const float w = weight_at(&at);
      at.word += row_words;
      at.scale += groups;
      at.bias += groups;
#pragma unroll
      for (int r = 0; r < TILE; r++) t[r] = fma(w, LOAD(X, from[r], k), t[r]);
    }
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--) {
      top--;
#pragma unroll
      for (int r = 0; r < TILE; r++) t[r] = stack[top * TILE + r] + t[r];
    }
#pragma unroll
    for (int r = 0; r < TILE; r++) stack[top * TILE + r] = t[r];
    top++;
  }
#pragma unroll
  for (int r = 0; r < TILE; r++)
    if (m + r < x_rows)
      finish(stack[r], n, bias + bias_at, y + y_at + (z * x_rows + m + r) * columns);
}
