// pairs[z] = {matrix of x, matrix of the weight} of product z: the elements at[z] of the indices of
// either side (dtypes XI, WI), or, where a side has none (HAS_X, HAS_W 0), at[z] itself. Indices
// out of range are reported and clamped. One work-item per product.
#include "common/dtype.clh"
#include "common/report.clh"

inline int checked(uint index, long given, int count, global int* error, int code) {
  if (index >= (uint)count) report_index(error, code, given, count);
  return (int)min(index, (uint)count - 1u);
}

kernel void matrix_pairs(const global STORAGE(XI) * x, ulong x_at, const global STORAGE(WI) * w,
                         ulong w_at, const global int* at, ulong at_at, global int* pairs,
                         ulong pairs_at, int x_count, int w_count, global int* error,
                         ulong error_at, int code) {
  const size_t z = get_global_id(0);
  int of_x = at[at_at + 2 * z], of_w = at[at_at + 2 * z + 1];
#if HAS_X
  const STORAGE(XI) given_x = x[x_at + of_x];
  of_x = checked((uint)given_x, given_x, x_count, error + error_at, code);
#endif
#if HAS_W
  const STORAGE(WI) given_w = w[w_at + of_w];
  of_w = checked((uint)given_w, given_w, w_count, error + error_at, code);
#endif
  pairs[pairs_at + 2 * z] = of_x;
  pairs[pairs_at + 2 * z + 1] = of_w;
}
