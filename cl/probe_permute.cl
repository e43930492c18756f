// Compiles where the compiler knows the permutation of 16 floats by the low bits of 16 integers.
kernel void probe_permute(const global float* table, ulong table_at, const global int* index,
                          ulong index_at, global float* to, ulong to_at) {
  const float16 values = vload16(0, table + table_at);
  vstore16(__builtin_ia32_permvarsf512(values, vload16(0, index + index_at)), 0, to + to_at);
}
