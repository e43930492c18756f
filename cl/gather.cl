// out[r, :] = table[rows[r], :], elements of ELEMENT bits as they are. Negative rows count from the
// end; what is then outside the table is reported and clamped into it. Of the table's rows, `here`
// from `first` on are given, and only their elements written. A work-item takes per_item
// neighbouring elements of one row. ROW: dtype of the rows.
#include "common/dtype.clh"
#include "common/element.clh"
#include "common/report.clh"

typedef STORAGE(ROW) row_t;

kernel void gather(const global element_t* table, ulong table_at, const global row_t* rows,
                   ulong rows_at, global element_t* out, ulong out_at, long table_rows, long first,
                   long here, long width, long per_item, global int* error, ulong error_at,
                   int code) {
  const long r = get_global_id(1);
  const row_t given =
      rows[rows_at + r];  // compared in 32 bits: as a long, llvmpipe took -1 for positive
  const long from_start = given < 0 ? (long)given + table_rows : (long)given;
  const long inside = clamp(from_start, 0L, table_rows - 1);
  if (inside != from_start) report_index(error + error_at, code, given, table_rows);
  const long row = inside - first;
  if (row < 0 || row >= here) return;
  long i = (long)get_global_id(0) * per_item;
  const long last = min(width, i + per_item);
  const global element_t* from = table + table_at + row * width;
  global element_t* to = out + out_at + r * width;
#if WIDE
  for (; i + 16 <= last; i += 16) vstore16(vload16(0, from + i), 0, to + i);
#endif
  for (; i < last; i++) to[i] = from[i];
}
