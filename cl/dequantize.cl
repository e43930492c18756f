// The dense rows of a quantized weight: rT(rP(rP(code) * rP(scale)) + rT(bias)), or rP(element *
// rP(scale)) in the floating modes, stored as Y. Scales of any mode may be f32 numbers (S). One
// work-item per unit of whole words: grid (units, rows). Needs denormals (host/src/probe.hpp).
#include "common/report.clh"
#include "common/round.clh"
#include "common/unpack.clh"

typedef STORAGE(S) s_t;
typedef STORAGE(B) b_t;
typedef STORAGE(Y) y_t;

// Unit j of row `from`, to row `to` of y. Biases have bias_columns in a row: one per group, or one
// for all.
inline void dequantize_unit(const global uint* words, const global s_t* scales,
                            const global b_t* biases, global y_t* y, size_t from, size_t to,
                            size_t j, int width, int bias_columns) {
  const size_t units = width / UNIT, groups = width / GROUP;
  words += (from * units + j) * UNIT * BITS / 32;
  for (int i = 0; i < UNIT; i++) {
    const size_t k = j * UNIT + i, group = k / GROUP;
    const float scale = ROUND(P, LOAD_SCALE(S, scales, from * groups + group));
    float value = ELEMENT(clmx_code(words, (size_t)i));
#if BITS > 8  // below, every P holds the code
    value = ROUND(P, value);
#endif
    value = ROUND(P, value * scale);
#if AFFINE
    const size_t column = min((int)group, bias_columns - 1);
    value = ROUND(T, value + ROUND(T, LOAD_SCALE(B, biases, from * bias_columns + column)));
#endif
    STORE(Y, y, to * width + k, value);
  }
}

kernel void dequantize(const global uint* words, ulong words_at, const global s_t* scales,
                       ulong scales_at, const global b_t* biases, ulong biases_at, global y_t* y,
                       ulong y_at, int width, int bias_columns) {
  dequantize_unit(words + words_at, scales + scales_at, biases + biases_at, y + y_at,
                  get_global_id(1), get_global_id(1), get_global_id(0), width, bias_columns);
}

// Negative rows count from the end; rows out of range are reported and clamped.
inline int row_of_i32(int row, int count) {
  return clamp(row < 0 ? row + count : row, 0, count - 1);
}
inline bool is_row_i32(int row, int count) {
  return row >= -count && row < count;
}
inline bool is_row_u32(uint row, int count) {
  return row < (uint)count;
}
inline int row_of_u32(uint row, int count) {
  return (int)min(row, (uint)count - 1u);
}
#define is_row_u8 is_row_u32
#define row_of_u8 row_of_u32

// Row rows[i] of the weight becomes row i of y. Of its rows, `here` from `first` on are given, and
// only their elements written.
kernel void gather_dequantize(const global STORAGE(INDEX) * rows, ulong rows_at,
                              const global uint* words, ulong words_at, const global s_t* scales,
                              ulong scales_at, const global b_t* biases, ulong biases_at,
                              global y_t* y, ulong y_at, int width, int count, int first, int here,
                              global int* error, ulong error_at, int code) {
  const size_t to = get_global_id(1);
  if (!CLMX_PASTE(is_row_, INDEX)(rows[rows_at + to], count))
    report_index(error + error_at, code, rows[rows_at + to], count);
  const int row = CLMX_PASTE(row_of_, INDEX)(rows[rows_at + to], count) - first;
  if (row < 0 || row >= here) return;
  dequantize_unit(words + words_at, scales + scales_at, biases + biases_at, y + y_at, (size_t)row,
                  to, get_global_id(0), width, width / GROUP);
}
