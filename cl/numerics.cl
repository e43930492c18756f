// How a device computes, for `clmx devices --numerics`: host/cases/verify/numerics.cpp compares
// with the host. Only here and in numerics_contract.cl are a driver's own functions called, because
// they are what is measured.
#pragma OPENCL FP_CONTRACT OFF

// to[i] = EXPRESSION of x = a[i], y = b[i], z = c[i].
#define MEASURED(NAME, EXPRESSION)                                                                 \
  kernel void measure_##NAME(const global float* a, ulong a_at, const global float* b, ulong b_at, \
                             const global float* c, ulong c_at, global float* to, ulong to_at) {   \
    const size_t i = get_global_id(0);                                                             \
    const float x = a[a_at + i], y = b[b_at + i], z = c[c_at + i];                                 \
    to[to_at + i] = EXPRESSION;                                                                    \
  }
MEASURED(exp, exp(x))
MEASURED(exp2, exp2(x))
MEASURED(log, log(x))
MEASURED(log2, log2(x))
MEASURED(sin, sin(x))
MEASURED(cos, cos(x))
MEASURED(tanh, tanh(x))
MEASURED(erf, erf(x))
MEASURED(rsqrt, rsqrt(x))
MEASURED(sqrt, sqrt(x))
MEASURED(pow, pow(x, y))
MEASURED(divide, x / y)
MEASURED(multiply, x* y)
MEASURED(add, x + y)
MEASURED(fma, fma(x, y, z))
MEASURED(ldexp, ldexp(x, convert_int(y)))
MEASURED(equal, x == y ? 1.0f : 0.0f)
MEASURED(min, fmin(x, y))
MEASURED(max, fmax(x, y))

kernel void store_half(const global float* from, ulong from_at, global half* to, ulong to_at) {
  const size_t i = get_global_id(0);
  vstore_half(from[from_at + i], to_at + i, to);
}

kernel void store_half_rte(const global float* from, ulong from_at, global half* to, ulong to_at) {
  const size_t i = get_global_id(0);
  vstore_half_rte(from[from_at + i], to_at + i, to);
}

kernel void load_half(const global half* from, ulong from_at, global float* to, ulong to_at) {
  const size_t i = get_global_id(0);
  to[to_at + i] = vload_half(from_at + i, from);
}
