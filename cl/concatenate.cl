// out[r, at + c] = part[r, c] for c < part_width: one part of a row-by-row concatenation, elements
// of ELEMENT bits as they are. A work-item takes per_item neighbouring elements of one row.
#include "common/element.clh"

kernel void concatenate(const global element_t* part, ulong part_at, global element_t* out,
                        ulong out_at, long part_width, long width, long at, long per_item) {
  const long r = get_global_id(1);
  long i = (long)get_global_id(0) * per_item;
  const long last = min(part_width, i + per_item);
  const global element_t* from = part + part_at + r * part_width;
  global element_t* to = out + out_at + r * width + at;
#if WIDE
  for (; i + 16 <= last; i += 16) vstore16(vload16(0, from + i), 0, to + i);
#endif
  for (; i < last; i++) to[i] = from[i];
}
