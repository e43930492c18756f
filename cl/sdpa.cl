// Attention on vector CPUs: y = softmax(scale q k^T) v, one work-item per tile of ROWS neighbouring
// query rows of one kv head, tiles taken in strides of the number of work-items. Per row, the
// canonical order: the exact maximum of the visible scores; blocks of 64 keys at absolute
// positions, ascending fma chains from +0 in a block; the tree over the blocks from the first to
// the last visible one; numerator times reciprocal of the denominator. A row that may see no key
// has all scores 0. Constants: Q, K, V, Y dtypes; DIM, DIM_V; ROWS.
#include "common/attention_wide.clh"

// All rows of a tile over one block. count[r]: how many of its keys row r sees; weights:
// [ROWS][64]. The sums are kept apart from the result, which could be the same memory as v: so they
// stay in registers.
inline void add_block(float16 result[ROWS][PARTS], const float* weights, const global v_t* v,
                      long step, const int* count) {
  int shared = count[0];
  for (int r = 1; r < ROWS; r++) shared = min(shared, count[r]);
  float16 sum[ROWS][PARTS], value[VECTORS_V];
#pragma unroll
  for (int r = 0; r < ROWS; r++)
#pragma unroll
    for (int n = 0; n < PARTS; n++) sum[r][n] = 0.0f;
  for (int j = 0; j < shared; j++) {
    load_value(v + j * step, value);
#pragma unroll
    for (int r = 0; r < ROWS; r++) add_key(sum[r], weights[r * KEYS_PER_BLOCK + j], value);
  }
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const int seen = count[r];
    for (int j = shared; j < seen; j++) {
      load_value(v + j * step, value);
      add_key(sum[r], weights[r * KEYS_PER_BLOCK + j], value);
    }
#pragma unroll
    for (int n = 0; n < PARTS; n++) result[r][n] = sum[r][n];
  }
}

inline void store_result(const float16* sum, global y_t* out) {
  const float scale = clmx_recip(sum[VECTORS_V].s0);
  for (int n = 0; n < VECTORS_V; n++) {
    const float16 y = sum[n] * scale;
    if (16 * n + 16 <= DIM_V)
      STORE16(Y, out, 16 * n, y);
    else
      STORE16_PART(Y, out, 16 * n, DIM_V - 16 * n, y);
  }
}

// Scores of the tile's rows into scores[ROWS][stride], and their largest.
inline void score_tile(const float16 q[ROWS][VECTORS], const global k_t* k, long step,
                       const long* visible, long longest, global float* scores, long stride,
                       float* largest) {
  const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  float16 top[ROWS];
  for (int r = 0; r < ROWS; r++) top[r] = -INFINITY;
  for (long j = 0; j < longest; j += 16) {
    const global k_t* keys[16];  // what follows the last key repeats it
#pragma unroll
    for (int i = 0; i < 16; i++) keys[i] = k + min(j + i, longest - 1) * step;
    for (int r = 0; r < ROWS; r++) {
      const float16 s = scores_of_16_keys(q[r], keys);
      vstore16(s, 0, scores + r * stride + j);
      const int left = (int)clamp(visible[r] - j, 0L, 16L);
      top[r] = select(top[r], s, s > top[r] & lanes < left);
    }
  }
  for (int r = 0; r < ROWS; r++) largest[r] = largest_of_16(top[r]);
}

// `tiles` tiles of ROWS rows, per_head of them per kv head; scores: a scratch of [work-items, ROWS,
// stride] floats, where stride is the number of keys rounded up to 64.
kernel void sdpa(const global q_t* q, ulong q_at, const global k_t* k, ulong k_at,
                 const global v_t* v, ulong v_at, global y_t* out, ulong out_at,
                 global float* scores, ulong scores_at, long tiles, long per_head, long kv_heads,
                 long group, long queries, long keys, long q_head, long q_row, long kv_head,
                 long kv_row, long kv_batch, int causal, float scale, long stride) {
  scores += scores_at + get_global_id(0) * ROWS * stride;
  for (long tile = get_global_id(0); tile < tiles; tile += get_global_size(0)) {
    const long head = tile / per_head, rows_per_head = group * queries;
    const long first = (tile - head * per_head) * ROWS, b = head / kv_heads;
    const long kv = b * kv_batch + (head - b * kv_heads) * kv_head;
    float16 queries_of[ROWS][VECTORS];
    long visible[ROWS], vector[ROWS], longest = 0;
    for (int r = 0; r < ROWS; r++) {
      const long row = head * rows_per_head + min(first + r, rows_per_head - 1);
      const query_row at = query_row_of(row, kv_heads, group, queries);
      vector[r] = b * kv_heads * rows_per_head + at.head * q_head + at.time * q_row;
      visible[r] = visible_keys(at.time, queries, keys, causal);
      const global q_t* query = q + q_at + vector[r] * DIM;
      for (int n = 0; n < VECTORS; n++) {
        float16 x;
        LOAD_VECTOR(Q, query, n, DIM, x);
        queries_of[r][n] = visible[r] > 0 ? x * scale : (float16)0.0f;
      }
      if (visible[r] <= 0) visible[r] = keys;
      longest = max(longest, visible[r]);
    }
    float largest[ROWS];
    score_tile(queries_of, k + k_at + kv * DIM, kv_row * DIM, visible, longest, scores, stride,
               largest);

    float16 stack[ROWS][TREE_DEPTH][PARTS];
    int top[ROWS], count[ROWS];
    for (int r = 0; r < ROWS; r++) top[r] = 0;
    for (long from = 0; from < longest; from += KEYS_PER_BLOCK) {
      float weights[ROWS * KEYS_PER_BLOCK];
      weigh_block(scores + from, stride, largest, weights);
      for (int r = 0; r < ROWS; r++)
        count[r] = (int)clamp(visible[r] - from, 0L, (long)KEYS_PER_BLOCK);
      float16 acc[ROWS][PARTS];
      add_block(acc, weights, v + v_at + (kv + from * kv_row) * DIM_V, kv_row * DIM_V, count);
      for (int r = 0; r < ROWS; r++) {
        const long blocks = (visible[r] + KEYS_PER_BLOCK - 1) / KEYS_PER_BLOCK;
        if (count[r] > 0)
          top[r] =
              push_block(stack[r], top[r], acc[r], clmx_tree_merges(from / KEYS_PER_BLOCK, blocks));
      }
    }
    for (int r = 0; r < ROWS; r++)
      if (first + r < rows_per_head) store_result(stack[r][0], out + out_at + vector[r] * DIM_V);
  }
}
