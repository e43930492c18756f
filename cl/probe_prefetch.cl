// Compiles where the compiler knows the prefetch builtin.
kernel void probe_prefetch(const global float* from, ulong from_at, global float* to, ulong to_at) {
  __builtin_prefetch((const void*)(size_t)(from + from_at), 0, 3);
  to[to_at] = from[from_at];
}
