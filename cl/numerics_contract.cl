// Whether a compiler joins a product and a sum when it is not told to leave them apart: without the
// pragma that every other kernel has. For `clmx devices --numerics`.

// to[i] = a[i] * b[i] + c[i], as the compiler likes.
kernel void measure_default(const global float* a, ulong a_at, const global float* b, ulong b_at,
                            const global float* c, ulong c_at, global float* to, ulong to_at) {
  const size_t i = get_global_id(0);
  to[to_at + i] = a[a_at + i] * b[b_at + i] + c[c_at + i];
}

// to[i] = mad(a[i], b[i], c[i]).
kernel void measure_mad(const global float* a, ulong a_at, const global float* b, ulong b_at,
                        const global float* c, ulong c_at, global float* to, ulong to_at) {
  const size_t i = get_global_id(0);
  to[to_at + i] = mad(a[a_at + i], b[b_at + i], c[c_at + i]);
}
