// What a device's arithmetic does, shown by values: host/src/probe.cpp compares.
#pragma OPENCL FP_CONTRACT OFF

// out[i] = a[i] / b[i] and product[i] = a[i] * b[i].
kernel void divide_and_multiply(const global float* a, ulong a_at, const global float* b,
                                ulong b_at, global float* quotient, ulong quotient_at,
                                global float* product, ulong product_at) {
  const size_t i = get_global_id(0);
  quotient[quotient_at + i] = a[a_at + i] / b[b_at + i];
  product[product_at + i] = a[a_at + i] * b[b_at + i];
}
