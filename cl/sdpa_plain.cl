// Attention for any device in three launches over a scratch of scores [rows, stride], stride >
// keys + 1; for the query rows row_begin .. row_begin + rows - 1. The canonical order is that of
// sdpa.cl and sdpa_masked.cl: the same bits. Constants: Q, K, V, Y dtypes; those of
// attention_mask.clh.
#include "common/attention.clh"
#include "common/attention_mask.clh"
#include "common/dtype.clh"
#include "common/math.clh"
#include "common/reduce.clh"
#include "common/tree.clh"

typedef STORAGE(Q) q_t;
typedef STORAGE(K) k_t;
typedef STORAGE(V) v_t;
typedef STORAGE(Y) y_t;

// Whether a row may see the key, as far as a boolean mask says.
#if MASK == MASK_SEEN
#define SEEN(mask_of, key) ((mask_of)[(key)*mask_key] != 0)
#else
#define SEEN(mask_of, key) true
#endif

// What becomes of a row. Where the sink takes all the weight the result is +0: not every device
// adds 0 v to +0 so.
#define SEES_SOME 0.0f
#define SEES_NONE 1.0f
#define ALL_TO_SINK 2.0f

// scores[row, key] = (scale q) . k in sixteen chains, plus the mask; 0 in a row that may see no
// key.
kernel void sdpa_scores(const global q_t* q, ulong q_at, const global k_t* k, ulong k_at,
                        global float* scores, ulong scores_at, long row_begin, long kv_heads,
                        long group, long queries, long keys, long q_head, long q_row, long kv_head,
                        long kv_row, long kv_batch, int causal, float scale, long dim, long stride,
                        MASK_PARAMETERS) {
  const long key = get_global_id(0);
  const query_row at = query_row_of(row_begin + get_global_id(1), kv_heads, group, queries);
  const long visible = visible_keys(at.time, queries, keys, causal);
  if (key >= keys || (visible > 0 && key >= visible)) return;
  if (visible > 0 && key < first_key(at.time, queries, keys, window)) return;
  q += q_at + (at.batch * kv_heads * group * queries + at.head * q_head + at.time * q_row) * dim;
  k += k_at + (at.batch * kv_batch + at.kv_head * kv_head + key * kv_row) * dim;
  float chains[16];
  for (int c = 0; c < 16; c++) {
    float chain = 0.0f;
    for (long d = c; d < dim; d += 16) chain = fma(LOAD(Q, q, d) * scale, LOAD(K, k, d), chain);
    chains[c] = chain;
  }
  float score = clmx_tree_of_16(chains);
#if MASK == MASK_ADDED
  score += LOAD(M, MASK_OF_ROW(at), key * mask_key);
#endif
  scores[scores_at + get_global_id(1) * stride + key] = visible > 0 ? score : 0.0f;
}

// Every score becomes exp(score - largest); scores[row, keys] = 1 / their sum; scores[row, keys +
// 1] = what becomes of the row. `one` is 1: a sum written as a product keeps compilers from
// reordering it.
kernel void sdpa_weights(global float* scores, ulong scores_at, long row_begin, long rows,
                         long kv_heads, long group, long queries, long keys, int causal,
                         long stride, float one, MASK_PARAMETERS) {
  const long row = get_global_id(0);
  if (row >= rows) return;
  const query_row at = query_row_of(row_begin + row, kv_heads, group, queries);
  const global m_t* mask_of = MASK_OF_ROW(at);
  long visible = visible_keys(at.time, queries, keys, causal);
  long first = first_key(at.time, queries, keys, window);
  scores += scores_at + row * stride;
  float largest = -INFINITY;
  bool sees = false;
  for (long j = first; j < visible; j++) {
    if (!SEEN(mask_of, j)) continue;
    largest = scores[j] > largest ? scores[j] : largest;
    sees = true;
  }
  if (!sees) {
    first = 0;
    visible = keys;
    largest = 0.0f;
  }
  const float sink = SINKS ? weigh_sink(LOAD(S, sinks + sinks_at, at.head), !sees, &largest) : 0.0f;
  float stack[TREE_DEPTH];
  int top = 0;
  const long before = first / KEYS_PER_BLOCK;
  const long blocks = (visible + KEYS_PER_BLOCK - 1) / KEYS_PER_BLOCK - before;
  for (long block = 0; block < blocks; block++) {
    float sum = 0.0f;
    const long begin = (before + block) * KEYS_PER_BLOCK;
    const long last = min(visible, begin + KEYS_PER_BLOCK);
    for (long j = max(first, begin); j < last; j++) {
      if (sees && !SEEN(mask_of, j)) continue;
      const float weight = clmx_exp((sees ? scores[j] : 0.0f) - largest);
      scores[j] = weight;
      sum = fma(weight, one, sum);
    }
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--)
      sum = stack[--top] + sum;
    stack[top++] = sum;
  }
  scores[keys] = clmx_recip(stack[0] + sink);
  scores[keys + 1] = SINKS && stack[0] == 0.0f ? ALL_TO_SINK : sees ? SEES_SOME : SEES_NONE;
}

// out[row, d] = (sum over keys of weight v[key, d]) times the row's reciprocal.
kernel void sdpa_values(const global float* scores, ulong scores_at, const global v_t* v,
                        ulong v_at, global y_t* out, ulong out_at, long row_begin, long kv_heads,
                        long group, long queries, long keys, long q_head, long q_row, long kv_head,
                        long kv_row, long kv_batch, long dim_v, int causal, long stride,
                        MASK_PARAMETERS) {
  const long d = get_global_id(0);
  if (d >= dim_v) return;
  const query_row at = query_row_of(row_begin + get_global_id(1), kv_heads, group, queries);
  const global m_t* mask_of = MASK_OF_ROW(at);
  scores += scores_at + get_global_id(1) * stride;
  v += v_at + (at.batch * kv_batch + at.kv_head * kv_head) * dim_v + d;
  out +=
      out_at + (at.batch * kv_heads * group * queries + at.head * q_head + at.time * q_row) * dim_v;
  if (scores[keys + 1] == ALL_TO_SINK) {
    STORE(Y, out, d, 0.0f * scores[keys]);
    return;
  }
  const bool sees = scores[keys + 1] == SEES_SOME;
  const long visible = sees ? visible_keys(at.time, queries, keys, causal) : keys;
  const long first = sees ? first_key(at.time, queries, keys, window) : 0;
  float stack[TREE_DEPTH];
  int top = 0;
  const long before = first / KEYS_PER_BLOCK;
  const long blocks = (visible + KEYS_PER_BLOCK - 1) / KEYS_PER_BLOCK - before;
  for (long block = 0; block < blocks; block++) {
    float sum = 0.0f;
    const long begin = (before + block) * KEYS_PER_BLOCK;
    const long last = min(visible, begin + KEYS_PER_BLOCK);
    for (long j = max(first, begin); j < last; j++) {
      if (sees && !SEEN(mask_of, j)) continue;
      sum = fma(scores[j], LOAD(V, v, j * kv_row * dim_v), sum);
    }
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--)
      sum = stack[--top] + sum;
    stack[top++] = sum;
  }
  STORE(Y, out, d, stack[0] * scores[keys]);
}
