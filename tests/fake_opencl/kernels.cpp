#include "kernels.hpp"

#include <algorithm>
#include <cstdlib>

namespace fake {
namespace {

// The kernels of tests/devices/test_kernels.hpp.
void scale(const Call& call) {
  const float* const x = call.buffer<float>(0);
  float* const y = call.buffer<float>(2);
  const auto factor = static_cast<float>(call.constant("FACTOR", 2));
  const std::size_t n = std::min<std::size_t>(call.global[0], call.value<cl_uint>(4));
  for (std::size_t i = 0; i < n; ++i) y[i] = factor * x[i];
}

void add_one(const Call& call) {
  float* const x = call.buffer<float>(0);
  for (std::size_t i = 0; i < call.global[0]; ++i) x[i] += 1.0F;
}

void fixed_group(const Call& call) {
  auto* const x = call.buffer<cl_uint>(0);
  for (std::size_t i = 0; i < call.global[0]; ++i) x[i] = static_cast<cl_uint>(i / 8);
}

// devices/src/wrap_probe.cpp
void wrap_probe(const Call& call) {
  std::memcpy(call.buffer<std::byte>(2), call.buffer<std::byte>(0), call.global[0]);
}

// tests/stress/stress_test.cpp
void blend(const Call& call) {
  const cl_uint* const a = call.buffer<cl_uint>(0);
  const cl_uint* const b = call.buffer<cl_uint>(2);
  auto* const out = call.buffer<cl_uint>(4);
  const auto factor = call.value<cl_uint>(6);
  for (std::size_t i = 0; i < call.global[0]; ++i) out[i] = factor * a[i] + (b[i] ^ (b[i] >> 3));
}

constexpr std::array known{
    KernelFunction{"scale", 5, 2, scale}, KernelFunction{"add_one", 2, 1, add_one},
    KernelFunction{"fixed_group", 2, 1, fixed_group},
    KernelFunction{"wrap_probe", 4, 2, wrap_probe}, KernelFunction{"blend", 7, 3, blend}};

}  // namespace

long Call::constant(std::string_view name, long otherwise) const {
  const std::string wanted = "-D " + std::string(name) + '=';
  const std::size_t at = options.find(wanted);
  return at == std::string::npos ? otherwise
                                 : std::strtol(options.c_str() + at + wanted.size(), nullptr, 10);
}

const KernelFunction* find_kernel(std::string_view entry) {
  const auto* const found = std::ranges::find(known, entry, &KernelFunction::entry);
  return found == known.end() ? nullptr : found;
}

}  // namespace fake
