// y = x W^T (+ bias) on GPUs, over the prepared layout, in the canonical order (see qmv.cl). A
// work-item takes one row of the weight and TOKENS rows of x; neighbours take neighbouring rows, so
// that their words are neighbours in memory. No local memory. Constants beyond the common ones:
// ROWS; TOKENS, 1 (x as it is) or 4 or 8 (x packed by pack_tokens); DEPTH of the tree; SUBGROUPS
// (1: values of x are loaded once per sub-group and broadcast), REQUIRED_SIZE of a sub-group or 0.
#include "common/epilogue.clh"
#include "common/tree.clh"
#include "common/unpack.clh"

#if SUBGROUPS
#ifdef cl_khr_subgroups
#pragma OPENCL EXTENSION cl_khr_subgroups : enable
#endif
#endif

typedef STORAGE(X) x_t;
typedef STORAGE(S) s_t;
typedef STORAGE(B) b_t;

#if TOKENS == 1
typedef float tokens_t;
typedef x_t packed_t;
#define LOAD_TOKENS(p, k) LOAD(X, p, k)
#define BROADCAST(v, i) sub_group_broadcast(v, i)
#else
typedef CLMX_PASTE(float, TOKENS) tokens_t;
typedef float packed_t;
#define LOAD_TOKENS(p, k) CLMX_PASTE(vload, TOKENS)((size_t)(k), p)
#if TOKENS == 4
#define BROADCAST(v, i)                                                \
  (float4)(sub_group_broadcast(v.s0, i), sub_group_broadcast(v.s1, i), \
           sub_group_broadcast(v.s2, i), sub_group_broadcast(v.s3, i))
#else
#define BROADCAST(v, i)                                                \
  (float8)(sub_group_broadcast(v.s0, i), sub_group_broadcast(v.s1, i), \
           sub_group_broadcast(v.s2, i), sub_group_broadcast(v.s3, i), \
           sub_group_broadcast(v.s4, i), sub_group_broadcast(v.s5, i), \
           sub_group_broadcast(v.s6, i), sub_group_broadcast(v.s7, i))
#endif
#endif

// Where a work-item's row begins in the prepared layout; x and sums of its rows of x.
typedef struct {
  const global uint* words;
  const global s_t* scales;
  const global b_t* biases;
  const global packed_t* x;
  const global float* sums;
} operands;

// p of block `block`. `shared` is a literal at each call and the same for a whole sub-group: the
// item at `lane` of `size`, a power of two from 4 on, loads for all of them.
inline tokens_t block_sum(const operands* from, int block, int groups, bool shared, uint lane,
                          uint size) {
  const int first = block * GROUPS_PER_BLOCK, count = min(GROUPS_PER_BLOCK, groups - first);
  const global packed_t* x = from->x + (size_t)first * GROUP * TOKENS;
  tokens_t t = 0.0f, u = 0.0f, mine = 0.0f;
  for (int g = 0; g < count; g++) {
    tokens_t a = 0.0f, sum = 0.0f;
    for (int j = 0; j < WORDS_PER_GROUP; j++) {
      const int at = g * WORDS_PER_GROUP + j;
      const uint word = from->words[((size_t)first * WORDS_PER_GROUP + at) * ROWS];
#pragma unroll
      for (int i = 0; i < CODES; i++) {
        const int k = at * CODES + i;
        tokens_t v;
        if (shared) {
#if SUBGROUPS
          if (i % 4 == 0 && (k & (int)(size - 1u)) == 0)
            mine = LOAD_TOKENS(x, min(k + (int)lane, count * GROUP - 1));
          v = BROADCAST(mine, (uint)k & (size - 1u));
#endif
        } else {
          v = LOAD_TOKENS(x, k);
        }
        a = fma((tokens_t)(ELEMENT((word >> (BITS * i)) & CODE_MASK)), v, a);
#if AFFINE && TOKENS == 1
        sum = sum + v;
#endif
      }
    }
    t = fma((tokens_t)(LOAD_SCALE(S, from->scales, (size_t)(first + g) * ROWS)), a, t);
#if AFFINE
#if TOKENS > 1
    sum = LOAD_TOKENS(from->sums, first + g);
#endif
    u = fma((tokens_t)(LOAD_SCALE(B, from->biases, (size_t)(first + g) * ROWS)), sum, u);
#endif
  }
  return AFFINE ? t + u : t;
}

inline tokens_t block_of(const operands* from, int block, int groups) {
#if SUBGROUPS
  const uint size = get_sub_group_size();
  if (size >= 4u && (size & (size - 1u)) == 0u)
    return block_sum(from, block, groups, true, get_sub_group_local_id(), size);
#endif
  return block_sum(from, block, groups, false, 0u, 1u);
}

inline operands operands_of(const global packed_t* x, const global float* sums,
                            const global uint* words, const global s_t* scales,
                            const global b_t* biases, int groups) {
  const size_t n = get_global_id(0), tile = get_global_id(1);
  const size_t at = n / ROWS * groups * ROWS + n % ROWS;
  const size_t words_at = n / ROWS * groups * WORDS_PER_GROUP * ROWS + n % ROWS;
  operands from;
  from.words = words + words_at;
  from.scales = scales + at;
  from.biases = biases + at;
  from.x = x + tile * groups * GROUP * TOKENS;
  from.sums = sums + tile * groups * TOKENS;
  return from;
}

#if SUBGROUPS && REQUIRED_SIZE
#define WORK_GROUP                                  \
  __attribute__((reqd_work_group_size(ROWS, 1, 1))) \
  __attribute__((intel_reqd_sub_group_size(REQUIRED_SIZE)))
#else
#define WORK_GROUP __attribute__((reqd_work_group_size(ROWS, 1, 1)))
#endif

// Grid: rows of the weight, padded; tiles of TOKENS rows of x. y: [count, stride].
kernel WORK_GROUP void qmm_lanes(const global packed_t* x, ulong x_at, const global float* sums,
                                 ulong sums_at, const global uint* words, ulong words_at,
                                 const global s_t* scales, ulong scales_at,
                                 const global b_t* biases, ulong biases_at,
                                 const global bias_t* bias, ulong bias_at, global y_t* y,
                                 ulong y_at, int rows, int stride, int width, int count) {
  const int groups = width / GROUP, blocks = (width + BLOCK - 1) / BLOCK;
  const operands from = operands_of(x + x_at, sums + sums_at, words + words_at, scales + scales_at,
                                    biases + biases_at, groups);
  tokens_t stack[DEPTH];
  int top = 0;
  for (int block = 0; block < blocks; block++) {
    tokens_t p = block_of(&from, block, groups);
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--) p = stack[--top] + p;
    stack[top++] = p;
  }
  const int n = (int)get_global_id(0), m = (int)get_global_id(1) * TOKENS;
  if (n >= rows) return;
  const float* products = (const float*)stack;
  for (int i = 0; i < TOKENS && m + i < count; i++)
    finish(products[i], n, bias + bias_at, y + y_at + (size_t)(m + i) * stride);
}

// Split: the third axis is the block. partial: [tiles, blocks, TOKENS, padded rows].
kernel WORK_GROUP void qmm_lanes_split(const global packed_t* x, ulong x_at,
                                       const global float* sums, ulong sums_at,
                                       const global uint* words, ulong words_at,
                                       const global s_t* scales, ulong scales_at,
                                       const global b_t* biases, ulong biases_at,
                                       global float* partial, ulong partial_at, int padded,
                                       int width) {
  const int groups = width / GROUP, blocks = (width + BLOCK - 1) / BLOCK;
  const operands from = operands_of(x + x_at, sums + sums_at, words + words_at, scales + scales_at,
                                    biases + biases_at, groups);
  const size_t block = get_global_id(2);
  const tokens_t p = block_of(&from, (int)block, groups);
  const float* products = (const float*)&p;
  partial += partial_at + (get_global_id(1) * blocks + block) * TOKENS * padded + get_global_id(0);
  for (int i = 0; i < TOKENS; i++) partial[(size_t)i * padded] = products[i];
}

// The tree over the blocks of a split product. Grid: rows of the weight, rows of x.
kernel void qmm_lanes_tree(const global float* partial, ulong partial_at, const global bias_t* bias,
                           ulong bias_at, global y_t* y, ulong y_at, int rows, int stride,
                           int padded, int blocks) {
  const int n = (int)get_global_id(0), m = (int)get_global_id(1);
  if (n >= rows) return;
  const size_t step = (size_t)TOKENS * padded;
  partial += partial_at + (size_t)(m / TOKENS) * blocks * step + (size_t)(m % TOKENS) * padded + n;
  float stack[DEPTH];
  int top = 0;
  for (int block = 0; block < blocks; block++) {
    float p = partial[block * step];
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--) p = stack[--top] + p;
    stack[top++] = p;
  }
  finish(stack[0], n, bias + bias_at, y + y_at + (size_t)m * stride);
}

// packed[tile][k][TOKENS] = x, sums[tile][group][TOKENS] = its group sums, ascending. Rows beyond
// `count` repeat the last. Grid: groups, tiles.
kernel void pack_tokens(const global x_t* x, ulong x_at, global float* packed, ulong packed_at,
                        global float* sums, ulong sums_at, int count, int width) {
#if TOKENS > 1
  const int g = (int)get_global_id(0);
  if (g >= width / GROUP) return;
  const size_t tile = get_global_id(1);
  packed += packed_at + tile * width * TOKENS;
  x += x_at;
  tokens_t total = 0.0f;
  for (int k = g * GROUP; k < (g + 1) * GROUP; k++) {
    float column[TOKENS];
    for (int m = 0; m < TOKENS; m++)
      column[m] = LOAD(X, x, (size_t)min((int)tile * TOKENS + m, count - 1) * width + k);
    const tokens_t v = CLMX_PASTE(vload, TOKENS)(0, column);
    total = total + v;
    CLMX_PASTE(vstore, TOKENS)(v, k, packed);
  }
  CLMX_PASTE(vstore, TOKENS)
  (total, tile * (width / GROUP) + g, sums + sums_at);
#endif
}
