// y = x W^T (+ bias) over MLX's rows as they are, in the canonical order (see qmv.cl). One
// work-item per element of y: grid (rows of W, rows of x, products). Constants, besides those of
// common/unpack.clh: PAIRS, see common/pairs.clh. Of the weight's rows, `here` from `first` on are
// given, and only their elements written. Any device; sums are single and interleaved with an fma
// chain, because a compiler's loop vectorizer may reorder a lone scalar sum.
#include "common/epilogue.clh"
#include "common/pairs.clh"
#include "common/tree.clh"
#include "common/unpack.clh"

typedef STORAGE(X) x_t;
typedef STORAGE(S) s_t;
typedef STORAGE(B) b_t;

#define DEPTH 32  // of the tree: any number of blocks

// The block's sum over groups first .. first + groups - 1 of a row.
inline float block_sum(const global uint* row, const global s_t* scales, const global b_t* biases,
                       float factor, const global x_t* x, int first, int groups) {
  float t = 0.0f, u = 0.0f;
  for (int g = first; g < first + groups; g++) {
    float a = 0.0f, sum = 0.0f;
#if WHOLE_WORDS
    for (int j = g * WORDS_PER_GROUP; j < (g + 1) * WORDS_PER_GROUP; j++) {
      const uint word = row[j];
      for (int i = 0; i < CODES; i++) {
        const float v = LOAD(X, x, j * CODES + i);
        a = fma(ELEMENT((word >> (BITS * i)) & CODE_MASK), v, a);
        sum = sum + v;
      }
    }
#else
    for (int k = g * GROUP; k < (g + 1) * GROUP; k++) {
      const float v = LOAD(X, x, k);
      a = fma(ELEMENT(clmx_code(row, k)), v, a);
      sum = sum + v;
    }
#endif
    t = fma(SCALE(scales, g, factor), a, t);
#if AFFINE
    u = fma(LOAD_SCALE(B, biases, g), sum, u);
#endif
  }
  return AFFINE ? t + u : t;
}

kernel void qmm_plain(const global x_t* x, ulong x_at, const global uint* words, ulong words_at,
                      const global s_t* scales, ulong scales_at, const global b_t* biases,
                      ulong biases_at, const global float* factors, ulong factors_at,
                      const global int* pairs, ulong pairs_at, const global bias_t* bias,
                      ulong bias_at, global y_t* y, ulong y_at, int first, int here, int rows,
                      int width) {
  const size_t m = get_global_id(1), z = get_global_id(2), x_rows = get_global_size(1);
  const int of_x = MATRIX_OF_X(pairs + pairs_at, z), of_w = MATRIX_OF_W(pairs + pairs_at, z);
#if PAIRS
  const int n = (int)get_global_id(0), row = of_w * rows + n - first;
#else
  const int row = (int)get_global_id(0), n = row + first;
#endif
  if (n >= rows || row < 0 || row >= here) return;
  const int groups = width / GROUP, blocks = (width + BLOCK - 1) / BLOCK;
  const size_t row_at = (size_t)row * groups, row_words = (size_t)(width / UNIT) * UNIT * BITS / 32;
  const global x_t* x_row = x + x_at + (of_x * x_rows + m) * width;
  float stack[DEPTH];
  int top = 0;
  for (int block = 0; block < blocks; block++) {
    const int first_group = block * GROUPS_PER_BLOCK;
    float p = block_sum(words + words_at + row * row_words, scales + scales_at + row_at,
                        biases + biases_at + row_at, FACTOR(factors + factors_at, of_w), x_row,
                        first_group, min(GROUPS_PER_BLOCK, groups - first_group));
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--) p = stack[--top] + p;
    stack[top++] = p;
  }
  finish(stack[0], n, bias + bias_at, y + y_at + (z * x_rows + m) * rows);
}
