// MLX's rows into the prepared layout: to[rows / ROWS][columns][ROWS] = from[rows][columns], the
// last block padded with zeros. Elements of BYTES 1, 2 or 4 are moved as bits. One work-item per
// row block and 16 columns.
#if BYTES == 4
typedef uint element_t;
#elif BYTES == 2
typedef ushort element_t;
#else
typedef uchar element_t;
#endif

kernel void interleave(const global element_t* from, ulong from_at, global element_t* to,
                       ulong to_at, int rows, int columns) {
  const size_t block = get_global_id(1);
  const int first = (int)get_global_id(0) * 16, end = min(first + 16, columns);
  for (int r = 0; r < ROWS; r++) {
    const size_t row = block * ROWS + r;
    for (int c = first; c < end; c++)
      to[to_at + (block * columns + c) * ROWS + r] =
          row < (size_t)rows ? from[from_at + row * columns + c] : (element_t)0;
  }
}
