// out = x with every head rotated by its position: row r of `rows` heads takes row offset + (r /
// heads_inside) mod time of the tables, where heads_inside is the number of heads that lie together
// (1 for [.., heads, time, dim]), plus r / batch_heads times batch_rows. Constants: X dtype,
// TRADITIONAL, WIDE. A work-item takes per_item rows; the second axis of the grid splits a row.
#include "common/rope.clh"

DEFINE_ROTATE(rotate_head, X, X)

kernel void rope(const global STORAGE(X) * x, ulong x_at, const global float* cosines,
                 ulong cosines_at, const global float* sines, ulong sines_at,
                 global STORAGE(X) * out, ulong out_at, long rows, long dim, long dims, long offset,
                 long time, long heads_inside, long batch_heads, long batch_rows, long per_item) {
  const long first = (long)get_global_id(0) * per_item;
  const long last = min(rows, first + per_item);
  for (long row = first; row < last; row++) {
    const long t = row / heads_inside % time, before = row / batch_heads * batch_rows;
    const long angles = (offset + before + t) * (dims / 2);
    rotate_head(x + x_at + row * dim, cosines + cosines_at + angles, sines + sines_at + angles,
                out + out_at + row * dim, dim, dims, get_global_id(1), get_global_size(1));
  }
}
