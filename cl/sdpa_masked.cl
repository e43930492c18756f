// Attention on vector CPUs as in sdpa.cl, with a mask, a window or sinks: a tile of ROWS query rows
// per work-item. Per row, the canonical order over the keys that it may see: others leave the sums
// as they are; the tree spans the blocks that causal and the window leave; the sink's weight is the
// denominator's last term. Constants: those of sdpa.cl and of attention_mask.clh.
#include "common/attention_mask.clh"
#include "common/attention_wide.clh"

// What is known of a row: the keys [first, last) that causal and the window leave, all of them if
// it sees none; its mask, null for no mask.
typedef struct {
  long first, last, vector;
  const global m_t* mask;
  bool sees_none;
} masked_row;

// The mask of keys j .. j + 15; what follows the last key repeats it.
inline float16 mask_of_16_keys(const global m_t* mask, long step, long j, long keys) {
  if (step == 1 && j + 16 <= keys) return LOAD16(M, mask, j);
  float part[16];
  for (int i = 0; i < 16; i++) {
    const long key = j + i < keys ? j + i : keys - 1;
    part[i] = LOAD(M, mask, key * step);
  }
  return vload16(0, part);
}

// Which of the keys j .. j + 15 the row may see.
inline int16 seen_of_16_keys(const masked_row* row, long step, long j, long keys) {
  const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const int begin = (int)clamp(row->first - j, 0L, 16L), end = (int)clamp(row->last - j, 0L, 16L);
  int16 seen = (lanes >= begin) & (lanes < end);
#if MASK == MASK_SEEN
  if (row->mask) seen &= mask_of_16_keys(row->mask, step, j, keys) != 0.0f;
#endif
  return seen;
}

// Scores of the tile's rows for the keys [start, longest) into scores[ROWS][stride], their largest,
// and whether a row sees a key at all.
inline void score_tile(const float16 q[ROWS][VECTORS], const global k_t* k, long step,
                       const masked_row* rows, long mask_step, long start, long longest, long keys,
                       global float* scores, long stride, float* largest, bool* sees) {
  float16 top[ROWS];
  int16 seen_at_all[ROWS];
  for (int r = 0; r < ROWS; r++) {
    top[r] = -INFINITY;
    seen_at_all[r] = 0;
  }
  for (long j = start; j < longest; j += 16) {
    const global k_t* keys_of[16];  // what follows the last key repeats it
#pragma unroll
    for (int i = 0; i < 16; i++) keys_of[i] = k + min(j + i, longest - 1) * step;
    for (int r = 0; r < ROWS; r++) {
      float16 s = scores_of_16_keys(q[r], keys_of);
#if MASK == MASK_ADDED
      if (rows[r].mask) s += mask_of_16_keys(rows[r].mask, mask_step, j, keys);
#endif
      vstore16(s, 0, scores + r * stride + j);
      const int16 seen = seen_of_16_keys(rows + r, mask_step, j, keys);
      top[r] = select(top[r], s, (s > top[r]) & seen);
      seen_at_all[r] |= seen;
    }
  }
  for (int r = 0; r < ROWS; r++) {
    largest[r] = largest_of_16(top[r]);
    sees[r] = any(seen_at_all[r]);
  }
}

// Row r, which its mask leaves no key, sees all alike.
inline void see_all(masked_row* row, long keys, global float* scores, float* largest) {
  for (long j = 0; j < keys; j += 16) vstore16((float16)0.0f, 0, scores + j);
  row->first = 0;
  row->last = keys;
  row->mask = 0;
  row->sees_none = true;
  *largest = 0.0f;
}

#if MASK == MASK_SEEN
#define SEEN(seen, at) (seen)[at]
#else
#define SEEN(seen, at) true
#endif

// Adds the keys [from, to) of a block to one row.
inline void add_keys(float16* sum, const float* weights, const int* seen, const global v_t* v,
                     long step, int from, int to) {
  float16 value[VECTORS_V];
  for (int j = from; j < to; j++) {
    load_value(v + j * step, value);
    if (SEEN(seen, j)) add_key(sum, weights[j], value);
  }
}

// All rows of a tile over one block, of which row r sees no key before begin[r] or from end[r] on.
inline void add_block(float16 result[ROWS][PARTS], const float* weights, const int* seen,
                      const global v_t* v, long step, const int* begin, const int* end) {
  int shared = begin[0], last = end[0];
  for (int r = 1; r < ROWS; r++) {
    shared = max(shared, begin[r]);
    last = min(last, end[r]);
  }
  last = max(shared, last);
  float16 sum[ROWS][PARTS], value[VECTORS_V];
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
#pragma unroll
    for (int n = 0; n < PARTS; n++) sum[r][n] = 0.0f;
    add_keys(sum[r], weights + r * KEYS_PER_BLOCK, seen + r * KEYS_PER_BLOCK, v, step, begin[r],
             min(shared, end[r]));
  }
  for (int j = shared; j < last; j++) {
    load_value(v + j * step, value);
#pragma unroll
    for (int r = 0; r < ROWS; r++)
      if (SEEN(seen, r * KEYS_PER_BLOCK + j))
        add_key(sum[r], weights[r * KEYS_PER_BLOCK + j], value);
  }
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    add_keys(sum[r], weights + r * KEYS_PER_BLOCK, seen + r * KEYS_PER_BLOCK, v, step, last,
             end[r]);
#pragma unroll
    for (int n = 0; n < PARTS; n++) result[r][n] = sum[r][n];
  }
}

// Where the sink takes all the weight the numerator is +0: not every device adds 0 v to +0 so.
inline void store_result(const float16* sum, float sink_weight, global y_t* out) {
  const float scale = clmx_recip(sum[VECTORS_V].s0 + sink_weight);
  const bool nothing = SINKS && sum[VECTORS_V].s0 == 0.0f;
  for (int n = 0; n < VECTORS_V; n++) {
    const float16 y = (nothing ? (float16)0.0f : sum[n]) * scale;
    if (16 * n + 16 <= DIM_V)
      STORE16(Y, out, 16 * n, y);
    else
      STORE16_PART(Y, out, 16 * n, DIM_V - 16 * n, y);
  }
}

// Block `from`, exp(score - largest) of its keys and, where there is a boolean mask, which of them
// are seen; then all rows are brought up to it.
inline void take_block(const masked_row* rows, const global float* scores, long stride,
                       const float* largest, long mask_step, long keys, const global v_t* v,
                       long step, long from, float16 stack[ROWS][TREE_DEPTH][PARTS], int* top) {
  float weights[ROWS * KEYS_PER_BLOCK];
  int seen[ROWS * KEYS_PER_BLOCK], begin[ROWS], end[ROWS];
  weigh_block(scores + from, stride, largest, weights);
  for (int r = 0; r < ROWS; r++) {
    begin[r] = (int)clamp(rows[r].first - from, 0L, (long)KEYS_PER_BLOCK);
    end[r] = (int)clamp(rows[r].last - from, 0L, (long)KEYS_PER_BLOCK);
#if MASK == MASK_SEEN
    for (int j = 0; j < KEYS_PER_BLOCK; j += 16)
      vstore16(seen_of_16_keys(rows + r, mask_step, from + j, keys), 0,
               seen + r * KEYS_PER_BLOCK + j);
#endif
  }
  float16 acc[ROWS][PARTS];
  add_block(acc, weights, seen, v + from * step, step, begin, end);
  for (int r = 0; r < ROWS; r++) {
    if (begin[r] >= end[r]) continue;
    const long before = rows[r].first / KEYS_PER_BLOCK;
    const long blocks = (rows[r].last + KEYS_PER_BLOCK - 1) / KEYS_PER_BLOCK - before;
    top[r] = push_block(stack[r], top[r], acc[r],
                        clmx_tree_merges(from / KEYS_PER_BLOCK - before, blocks));
  }
}

// Arguments as of sdpa.cl.
kernel void sdpa_masked(const global q_t* q, ulong q_at, const global k_t* k, ulong k_at,
                        const global v_t* v, ulong v_at, global y_t* out, ulong out_at,
                        global float* scores, ulong scores_at, long tiles, long per_head,
                        long kv_heads, long group, long queries, long keys, long q_head, long q_row,
                        long kv_head, long kv_row, long kv_batch, int causal, float scale,
                        long stride, MASK_PARAMETERS) {
  scores += scores_at + get_global_id(0) * ROWS * stride;
  for (long tile = get_global_id(0); tile < tiles; tile += get_global_size(0)) {
    const long head = tile / per_head, rows_per_head = group * queries;
    const long first = (tile - head * per_head) * ROWS, b = head / kv_heads;
    const long kv = b * kv_batch + (head - b * kv_heads) * kv_head;
    float16 queries_of[ROWS][VECTORS];
    masked_row rows[ROWS];
    long start = keys, longest = 0;
    float sink[ROWS];
    for (int r = 0; r < ROWS; r++) {
      const long row = head * rows_per_head + min(first + r, rows_per_head - 1);
      const query_row at = query_row_of(row, kv_heads, group, queries);
      const long visible = visible_keys(at.time, queries, keys, causal);
      rows[r].sees_none = visible <= 0;
      rows[r].vector = b * kv_heads * rows_per_head + at.head * q_head + at.time * q_row;
      rows[r].first = visible > 0 ? first_key(at.time, queries, keys, window) : 0;
      rows[r].last = visible > 0 ? visible : keys;
      rows[r].mask = MASK && visible > 0 ? MASK_OF_ROW(at) : 0;
      sink[r] = SINKS ? LOAD(S, sinks + sinks_at, at.head) : 0.0f;
      const global q_t* query = q + q_at + rows[r].vector * DIM;
      for (int n = 0; n < VECTORS; n++) {
        float16 x;
        LOAD_VECTOR(Q, query, n, DIM, x);
        queries_of[r][n] = visible > 0 ? x * scale : (float16)0.0f;
      }
      start = min(start, rows[r].first / KEYS_PER_BLOCK * KEYS_PER_BLOCK);
      longest = max(longest, rows[r].last);
    }
    float largest[ROWS], sink_weight[ROWS];
    bool sees[ROWS];
    score_tile(queries_of, k + k_at + kv * DIM, kv_row * DIM, rows, mask_key, start, longest, keys,
               scores, stride, largest, sees);
    for (int r = 0; r < ROWS; r++) {
      if (!sees[r]) {
        see_all(rows + r, keys, scores + r * stride, largest + r);
        start = 0;
        longest = keys;
      }
      sink_weight[r] = SINKS ? weigh_sink(sink[r], rows[r].sees_none, largest + r) : 0.0f;
    }

    float16 stack[ROWS][TREE_DEPTH][PARTS];
    int top[ROWS];
    for (int r = 0; r < ROWS; r++) top[r] = 0;
    for (long from = start; from < longest; from += KEYS_PER_BLOCK)
      take_block(rows, scores, stride, largest, mask_key, keys, v + v_at + kv * DIM_V,
                 kv_row * DIM_V, from, stack, top);
    for (int r = 0; r < ROWS; r++)
      if (first + r < rows_per_head)
        store_result(stack[r][0], sink_weight[r], out + out_at + rows[r].vector * DIM_V);
  }
}
