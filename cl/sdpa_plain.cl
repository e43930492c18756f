// Attention for any device in three launches over a scratch of scores [rows, stride], stride >
// keys; for the query rows row_begin .. row_begin + rows - 1. The canonical order is that of
// sdpa.cl: the same bits. Constants: Q, K, V, Y dtypes.
#include "common/attention.clh"
#include "common/dtype.clh"
#include "common/math.clh"
#include "common/reduce.clh"
#include "common/tree.clh"

typedef STORAGE(Q) q_t;
typedef STORAGE(K) k_t;
typedef STORAGE(V) v_t;
typedef STORAGE(Y) y_t;

// scores[row, key] = (scale q) . k in sixteen chains; 0 in a row that may see no key.
kernel void sdpa_scores(const global q_t* q, ulong q_at, const global k_t* k, ulong k_at,
                        global float* scores, ulong scores_at, long row_begin, long kv_heads,
                        long group, long queries, long keys, long q_head, long q_row, long kv_head,
                        long kv_row, long kv_batch, int causal, float scale, long dim,
                        long stride) {
  const long key = get_global_id(0);
  const query_row at = query_row_of(row_begin + get_global_id(1), kv_heads, group, queries);
  const long visible = visible_keys(at.time, queries, keys, causal);
  if (key >= keys || (visible > 0 && key >= visible)) return;
  q += q_at + (at.batch * kv_heads * group * queries + at.head * q_head + at.time * q_row) * dim;
  k += k_at + (at.batch * kv_batch + at.kv_head * kv_head + key * kv_row) * dim;
  float chains[16];
  for (int c = 0; c < 16; c++) {
    float chain = 0.0f;
    for (long d = c; d < dim; d += 16) chain = fma(LOAD(Q, q, d) * scale, LOAD(K, k, d), chain);
    chains[c] = chain;
  }
  const float score = clmx_tree_of_16(chains);
  scores[scores_at + get_global_id(1) * stride + key] = visible > 0 ? score : 0.0f;
}

// Every score becomes exp(score - largest); scores[row, keys] = 1 / their sum. `one` is 1: a sum
// written as a product keeps compilers from reordering it.
kernel void sdpa_weights(global float* scores, ulong scores_at, long row_begin, long rows,
                         long kv_heads, long group, long queries, long keys, int causal,
                         long stride, float one) {
  const long row = get_global_id(0);
  if (row >= rows) return;
  const query_row at = query_row_of(row_begin + row, kv_heads, group, queries);
  long visible = visible_keys(at.time, queries, keys, causal);
  if (visible <= 0) visible = keys;
  scores += scores_at + row * stride;
  float largest = -INFINITY;
  for (long j = 0; j < visible; j++) largest = scores[j] > largest ? scores[j] : largest;
  float stack[TREE_DEPTH];
  int top = 0;
  const long blocks = (visible + KEYS_PER_BLOCK - 1) / KEYS_PER_BLOCK;
  for (long block = 0; block < blocks; block++) {
    float sum = 0.0f;
    const long last = min(visible, (block + 1) * KEYS_PER_BLOCK);
    for (long j = block * KEYS_PER_BLOCK; j < last; j++) {
      const float weight = clmx_exp(scores[j] - largest);
      scores[j] = weight;
      sum = fma(weight, one, sum);
    }
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--)
      sum = stack[--top] + sum;
    stack[top++] = sum;
  }
  scores[keys] = clmx_recip(stack[0]);
}

// out[row, d] = (sum over keys of weight v[key, d]) times the row's reciprocal.
kernel void sdpa_values(const global float* scores, ulong scores_at, const global v_t* v,
                        ulong v_at, global y_t* out, ulong out_at, long row_begin, long kv_heads,
                        long group, long queries, long keys, long q_head, long q_row, long kv_head,
                        long kv_row, long kv_batch, long dim_v, int causal, long stride) {
  const long d = get_global_id(0);
  if (d >= dim_v) return;
  const query_row at = query_row_of(row_begin + get_global_id(1), kv_heads, group, queries);
  long visible = visible_keys(at.time, queries, keys, causal);
  if (visible <= 0) visible = keys;
  scores += scores_at + get_global_id(1) * stride;
  v += v_at + (at.batch * kv_batch + at.kv_head * kv_head) * dim_v + d;
  float stack[TREE_DEPTH];
  int top = 0;
  const long blocks = (visible + KEYS_PER_BLOCK - 1) / KEYS_PER_BLOCK;
  for (long block = 0; block < blocks; block++) {
    float sum = 0.0f;
    const long last = min(visible, (block + 1) * KEYS_PER_BLOCK);
    for (long j = block * KEYS_PER_BLOCK; j < last; j++)
      sum = fma(scores[j], LOAD(V, v, j * kv_row * dim_v), sum);
    for (int merges = clmx_tree_merges(block, blocks); merges > 0; merges--)
      sum = stack[--top] + sum;
    stack[top++] = sum;
  }
  out +=
      out_at + (at.batch * kv_heads * group * queries + at.head * q_head + at.time * q_row) * dim_v;
  STORE(Y, out, d, stack[0] * scores[keys]);
}
