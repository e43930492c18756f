// The order of the rows of x, ascending and stable: runs of RUN neighbours by counting, then merges
// of two runs into one of twice the length. Elements are compared as integers that order as they
// do; NaN comes after everything and the two zeros are one. Constants: X dtype; KIND of its
// numbers: KIND_FLOAT, KIND_UNSIGNED (of 32 bits) or KIND_SMALL (any that int holds). A work-item
// takes per_item of the n elements, which lie in rows of `width`.
#include "common/dtype.clh"
#include "common/element.clh"

#define KIND_FLOAT 0
#define KIND_UNSIGNED 1
#define KIND_SMALL 2

typedef STORAGE(X) x_t;

inline int key_of(const global x_t* x, long i) {
#if KIND == KIND_FLOAT
  const int bits = as_int(LOAD(X, x, i));
  const int magnitude = bits & 0x7fffffff;
  const int key = bits < 0 ? -magnitude : magnitude;
  return magnitude > 0x7f800000 ? INT_MAX : key;
#elif KIND == KIND_UNSIGNED
  return as_int(x[i] ^ 0x80000000u);
#else
  return (int)x[i];
#endif
}

// Sorted runs: keys, and the columns they come from.
kernel void sort_runs(const global x_t* x, ulong x_at, global int* keys, ulong keys_at,
                      global uint* order, ulong order_at, long n, long width, long per_item) {
  const long first = (long)get_global_id(0) * per_item;
  const long last = min(n, first + per_item);
  for (long i = first; i < last; i++) {
    const long row = i / width * width, column = i - row;
    const long begin = column / RUN * RUN, end = min(width, begin + RUN);
    const int key = key_of(x + x_at + row, column);
    long to = begin;
    for (long j = begin; j < end; j++) {
      const int other = key_of(x + x_at + row, j);
      to += other < key || (other == key && j < column);
    }
    keys[keys_at + row + to] = key;
    order[order_at + row + to] = (uint)column;
  }
}

// How many of the `count` ascending keys come before `key`; equal ones do with `equals`.
inline long count_before(const global int* keys, long count, int key, bool equals) {
  long low = 0, high = count;
  while (low < high) {
    const long middle = low + (high - low) / 2;
    const bool before = keys[middle] < key || (equals && keys[middle] == key);
    if (before)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// Merges runs of `run` neighbours pairwise: an element goes behind those of the other run that come
// before it.
kernel void merge_runs(const global int* keys, ulong keys_at, const global uint* order,
                       ulong order_at, global int* to_keys, ulong to_keys_at, global uint* to_order,
                       ulong to_order_at, long n, long width, long run, long per_item) {
  keys += keys_at;
  const long first = (long)get_global_id(0) * per_item;
  const long last = min(n, first + per_item);
  for (long i = first; i < last; i++) {
    const long row = i / width * width, column = i - row;
    const long left = column / (2 * run) * (2 * run);
    const long right = min(width, left + run), end = min(width, right + run);
    const int key = keys[i];
    const bool is_left = column < right;
    const long before = is_left ? count_before(keys + row + right, end - right, key, false)
                                : count_before(keys + row + left, right - left, key, true);
    const long to = row + (is_left ? column : column - (right - left)) + before;
    to_keys[to_keys_at + to] = key;
    to_order[to_order_at + to] = order[order_at + i];
  }
}

// The last `count` of each row in that order, and their columns; n: of all results.
kernel void take_last(const global element_t* x, ulong x_at, const global uint* order,
                      ulong order_at, global element_t* values, ulong values_at,
                      global uint* columns, ulong columns_at, long n, long width, long count,
                      long per_item) {
  const long first = (long)get_global_id(0) * per_item;
  const long last = min(n, first + per_item);
  for (long i = first; i < last; i++) {
    const long row = i / count;
    const uint column = order[order_at + (row + 1) * width - count + (i - row * count)];
    columns[columns_at + i] = column;
    values[values_at + i] = x[x_at + row * width + column];
  }
}
