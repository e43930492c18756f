#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "clmx/devices/stream.hpp"
#include "support/test_devices.hpp"

namespace clmx {

/// Small kernels that the tests of this layer launch.
inline const KernelLibrary& test_library() {
  static constexpr std::string_view scale = R"(#include "common/factor.clh"
kernel void scale(const global float* x, ulong x_at, global float* y, ulong y_at, uint n) {
  const size_t i = get_global_id(0);
  if (i < n) y[y_at + i] = FACTOR * x[x_at + i];
}
kernel void add_one(global float* x, ulong x_at) { x[x_at + get_global_id(0)] += 1.0f; }
)";
  static constexpr std::string_view factor = "#ifndef FACTOR\n#define FACTOR 2.0f\n#endif\n";
  static constexpr std::string_view broken =
      "#include \"common/factor.clh\"\nkernel void broken(global float* x) {\n  x[0] = "
      "unheard_of;\n}\n";
  static constexpr std::string_view fixed_group = R"(
kernel __attribute__((reqd_work_group_size(8, 1, 1))) void fixed_group(global uint* x, ulong x_at) {
  x[x_at + get_global_id(0)] = get_group_id(0);
}
)";
  static constexpr std::string_view slow = R"(
kernel void slow(global uint* x, ulong x_at, int turns) {
  uint v = get_global_id(0);
  for (int i = 0; i < turns; i++) v = v * 1664525u + (v >> 7) + 1013904223u;
  x[x_at + get_global_id(0)] = v;
}
)";
  static constexpr auto files = std::to_array<KernelSource>({{"scale.cl", scale},
                                                             {"common/factor.clh", factor},
                                                             {"broken.cl", broken},
                                                             {"fixed_group.cl", fixed_group},
                                                             {"slow.cl", slow}});
  static constexpr KernelLibrary library{"test", files};
  return library;
}

inline Kernel scale_kernel(const Device& device, int factor = 2) {
  return device.kernel({test_library(), "scale.cl", "scale", {{"FACTOR", factor}}});
}

inline Buffer upload(const Stream& stream, const std::vector<float>& values) {
  Buffer buffer = Buffer::allocate(stream, values.size() * sizeof(float));
  stream.write(buffer, 0, std::as_bytes(std::span(values)));
  return buffer;
}

inline std::vector<float> download(const Stream& stream, const Buffer& buffer) {
  std::vector<float> values(buffer.size() / sizeof(float));
  stream.read(buffer, 0, std::as_writable_bytes(std::span(values)));
  return values;
}

/// 0, 1, 2, ...
inline std::vector<float> counting(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
  return values;
}

inline std::vector<float> scaled(std::vector<float> values, float factor) {
  for (float& value : values) value *= factor;
  return values;
}

/// What the call throws, as text; empty if it throws nothing of that type.
template <class Wanted, class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const Wanted& error) {
    return error.what();
  }
  return {};
}

}  // namespace clmx
