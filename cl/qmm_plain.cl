// y = x W^T (+ bias) over MLX's rows as they are, in the canonical order (see qmv.cl). One
// work-item per element of y: grid (rows of the weight, rows of x); rows of y are `stride` apart.
// Any device; sums are single and
// interleaved with an fma chain, because a compiler's loop vectorizer may reorder a lone scalar
// sum.
#include "common/epilogue.clh"
#include "common/tree.clh"
#include "common/unpack.clh"

typedef STORAGE(X) x_t;
typedef STORAGE(S) s_t;
typedef STORAGE(B) b_t;

#define DEPTH 32  // of the tree: any number of blocks

// The block's sum over groups first .. first + groups - 1 of a row.
inline float block_sum(const global uint* row, const global s_t* scales, const global b_t* biases,
                       const global x_t* x, int first, int groups) {
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
    t = fma(LOAD_SCALE(S, scales, g), a, t);
#if AFFINE
    u = fma(LOAD_SCALE(B, biases, g), sum, u);
#endif
  }
  return AFFINE ? t + u : t;
}

kernel void qmm_plain(const global x_t* x, ulong x_at, const global uint* words, ulong words_at,
                      const global s_t* scales, ulong scales_at, const global b_t* biases,
                      ulong biases_at, const global bias_t* bias, ulong bias_at, global y_t* y,
                      ulong y_at, int rows, int stride, int width) {
  const size_t n = get_global_id(0), m = get_global_id(1);
  if (n >= (size_t)rows) return;
  const int groups = width / GROUP, blocks = (width + BLOCK - 1) / BLOCK;
  const size_t row_at = n * groups, row_words = (size_t)(width / UNIT) * UNIT * BITS / 32;
  float stack[DEPTH];
  int top = 0;
  for (int block = 0; block < blocks; block++) {
    const int first = block * GROUPS_PER_BLOCK;
    float p = block_sum(words + words_at + n * row_words, scales + scales_at + row_at,
                        biases + biases_at + row_at, x + x_at + m * width, first,
                        min(GROUPS_PER_BLOCK, groups - first));
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--) p = stack[--top] + p;
    stack[top++] = p;
  }
  finish(stack[0], n, bias + bias_at, y + y_at + m * stride);
}
