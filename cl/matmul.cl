// out = a b, or a b^T with TRANSPOSE_B. a: [batch, m, k]; b: [k, n] or [n, k], with a batch axis
// where b_batch is not 0; out: [batch, m, n], its rows `stride` apart. Per element: blocks of 256
// k, each the chain t = fma(b, a, t) from +0, and the tree over the blocks. Constants: A, B, Y
// dtypes; TRANSPOSE_B; WIDE: a work-item takes 16 columns of TILE rows, else one element; PAIRS,
// see common/pairs.clh: product z of the batch is of matrices pairs[2 z] of a and pairs[2 z + 1] of
// b, of which `here` from `first_b` on are given, and only their products written.
#include "common/dtype.clh"
#include "common/pairs.clh"
#include "common/tree.clh"
#if WIDE
#include "common/wide.clh"
#endif

#define K_PER_BLOCK 256
#define TREE_DEPTH 26

// A chain from +0 ends in -0 where a product underflows, or where a driver's fma in software
// returns a b for fma(a, b, +0): here it ends in +0 everywhere.
#define WITHOUT_MINUS_ZERO(F, I, v) as_##F(select(as_##I(v), (I)0, as_##I(v) == (I)0x80000000))

#if PAIRS
#define A_MATRIX(pairs, z) ((long)MATRIX_OF_X(pairs, z))
#define B_MATRIX(pairs, z) MATRIX_OF_W(pairs, z)
#define IS_GIVEN(e, here) ((e) >= 0 && (e) < (here))
#else
#define A_MATRIX(pairs, z) (z)
#define B_MATRIX(pairs, z) ((int)(z))
#define IS_GIVEN(e, here) 1
#endif

typedef STORAGE(A) a_t;
typedef STORAGE(B) b_t;
typedef STORAGE(Y) y_t;

#if WIDE
#if TRANSPOSE_B
// Elements (k .. k + 15) of 16 rows of b become 16 vectors across the rows: four perfect shuffles.
inline void transpose_16(float16* t) {
#pragma unroll
  for (int stage = 0; stage < 4; stage++) {
    float16 u[16];
#pragma unroll
    for (int i = 0; i < 8; i++) {
      u[2 * i].even = t[i].lo;
      u[2 * i].odd = t[i + 8].lo;
      u[2 * i + 1].even = t[i].hi;
      u[2 * i + 1].odd = t[i + 8].hi;
    }
#pragma unroll
    for (int i = 0; i < 16; i++) t[i] = u[i];
  }
}
#endif

// t[i], lane l = element (k + i, column + l); `count` elements along k and `columns` lanes exist.
inline void load_tile(const global b_t* b, long width, long k, long count, long column,
                      long columns, float16* t) {
#if TRANSPOSE_B
#pragma unroll
  for (int l = 0; l < 16; l++) {
    const global b_t* row = b + (column + min((long)l, columns - 1)) * width + k;
    if (count == 16)
      t[l] = LOAD16(B, row, 0);
    else
      LOAD16_PART(B, row, 0, count, t[l]);
  }
  transpose_16(t);
#else
  for (int i = 0; i < count; i++) {
    const global b_t* row = b + (k + i) * width + column;
    if (columns == 16)
      t[i] = LOAD16(B, row, 0);
    else
      LOAD16_PART(B, row, 0, columns, t[i]);
  }
#endif
}

// One block of the chains. The sums are kept apart from the result, which could be the same memory
// as a or b: so they stay in registers.
inline void add_block(const global a_t* const* a, const global b_t* b, long width, long k,
                      long last, long column, long columns, float16* result) {
  float16 t[16], sum[TILE];
#pragma unroll
  for (int r = 0; r < TILE; r++) sum[r] = 0.0f;
  for (; k + 16 <= last; k += 16) {
    load_tile(b, width, k, 16, column, columns, t);
#pragma unroll
    for (int i = 0; i < 16; i++)
#pragma unroll
      for (int r = 0; r < TILE; r++) sum[r] = fma(t[i], (float16)LOAD(A, a[r], k + i), sum[r]);
  }
  if (k < last) {
    float16 rest[16];
    load_tile(b, width, k, last - k, column, columns, rest);
    for (int i = 0; i < last - k; i++)
#pragma unroll
      for (int r = 0; r < TILE; r++) sum[r] = fma(rest[i], (float16)LOAD(A, a[r], k + i), sum[r]);
  }
#pragma unroll
  for (int r = 0; r < TILE; r++) result[r] = WITHOUT_MINUS_ZERO(float16, int16, sum[r]);
}

kernel void matmul(const global a_t* a, ulong a_at, const global b_t* b, ulong b_at,
                   const global int* pairs, ulong pairs_at, global y_t* out, ulong out_at, long m,
                   long n, long k, long b_batch, long stride, int first_b, int here) {
  const long column = get_global_id(0) * 16, first = get_global_id(1) * TILE,
             batch = get_global_id(2);
  const int of_b = B_MATRIX(pairs + pairs_at, batch) - first_b;
  if (!IS_GIVEN(of_b, here)) return;
  const long columns = min(16L, n - column), blocks = (k + K_PER_BLOCK - 1) / K_PER_BLOCK;
  const global a_t* rows[TILE];
  for (int r = 0; r < TILE; r++)
    rows[r] = a + a_at + (A_MATRIX(pairs + pairs_at, batch) * m + min(first + r, m - 1)) * k;
  b += b_at + of_b * b_batch;
  float16 stack[TREE_DEPTH][TILE];
  for (int r = 0; r < TILE; r++) stack[0][r] = 0.0f;
  int top = 0;
  for (long block = 0; block < blocks; block++) {
    float16 acc[TILE];
    add_block(rows, b, TRANSPOSE_B ? k : n, block * K_PER_BLOCK, min(k, (block + 1) * K_PER_BLOCK),
              column, columns, acc);
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--) {
      top--;
      for (int r = 0; r < TILE; r++) acc[r] = stack[top][r] + acc[r];
    }
    for (int r = 0; r < TILE; r++) stack[top][r] = acc[r];
    top++;
  }
  for (int r = 0; r < TILE && first + r < m; r++) {
    global y_t* y = out + out_at + (batch * m + first + r) * stride;
    if (columns == 16)
      STORE16(Y, y, column, stack[0][r]);
    else
      STORE16_PART(Y, y, column, columns, stack[0][r]);
  }
}
#else
kernel void matmul(const global a_t* a, ulong a_at, const global b_t* b, ulong b_at,
                   const global int* pairs, ulong pairs_at, global y_t* out, ulong out_at, long m,
                   long n, long k, long b_batch, long stride, int first_b, int here) {
  const long column = get_global_id(0), row = get_global_id(1), batch = get_global_id(2);
  const int of_b = B_MATRIX(pairs + pairs_at, batch) - first_b;
  if (column >= n || !IS_GIVEN(of_b, here)) return;
  a += a_at + (A_MATRIX(pairs + pairs_at, batch) * m + row) * k;
  b += b_at + of_b * b_batch + (TRANSPOSE_B ? column * k : column);
  const long step = TRANSPOSE_B ? 1 : n, blocks = (k + K_PER_BLOCK - 1) / K_PER_BLOCK;
  float stack[TREE_DEPTH] = {0.0f};
  int top = 0;
  for (long block = 0; block < blocks; block++) {
    float sum = 0.0f;
    const long last = min(k, (block + 1) * K_PER_BLOCK);
    for (long i = block * K_PER_BLOCK; i < last; i++)
      sum = fma(LOAD(B, b, i * step), LOAD(A, a, i), sum);
    sum = WITHOUT_MINUS_ZERO(float, int, sum);
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--)
      sum = stack[--top] + sum;
    stack[top++] = sum;
  }
  STORE(Y, out, out_at + (batch * m + row) * stride + column, stack[0]);
}
#endif
