#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <string_view>
#include <vector>

#include "kernel_library.hpp"
#include "launch.hpp"

namespace clmx {

/// The name of a function as a kernel constant.
struct FunctionName {
  std::string_view text;
};
inline ConstantValue to_constant(FunctionName name) {
  return {0, name.text};
}

inline constexpr std::string_view apply_kernel = R"(
#include "common/math.clh"
#if WIDE
kernel void apply(const global float* x, ulong x_at, global float* y, ulong y_at) {
  vstore16(FUNCTION(vload16(get_global_id(0), x + x_at)), get_global_id(0), y + y_at);
}
#else
kernel void apply(const global float* x, ulong x_at, global float* y, ulong y_at) {
  y[y_at + get_global_id(0)] = FUNCTION(x[x_at + get_global_id(0)]);
}
#endif
)";

inline const KernelLibrary& math_library() {
  static const auto files = [] {
    std::vector<KernelSource> all(kernels().files.begin(), kernels().files.end());
    all.push_back({"apply.cl", apply_kernel});
    return all;
  }();
  static const KernelLibrary library{"math_test", files};
  return library;
}

inline std::vector<float> apply(const Device& device, const char* function, bool wide,
                                const Array& x) {
  const Stream stream = device.default_stream();
  const Kernel kernel = device.kernel({math_library(),
                                       "apply.cl",
                                       "apply",
                                       {{"FUNCTION", FunctionName{function}}, {"WIDE", wide}}});
  const Array y = Array::empty(x.shape(), DType::f32, stream);
  const auto items = static_cast<std::size_t>(wide ? x.size() / 16 : x.size());
  launch(stream, kernel, Grid::linear(items, 1), x, y);
  return y.to_vector<float>();
}

/// |got - wanted| in units of wanted's last place in f32; subnormals count as the smallest ones.
inline double ulps(float got, double wanted) {
  if (std::isnan(wanted)) return std::isnan(got) ? 0 : 1e30;
  const float rounded = static_cast<float>(wanted);
  if (std::isinf(rounded) || std::isinf(got)) return got == rounded ? 0 : 1e30;
  const double unit =
      std::ldexp(1.0, std::max(std::ilogb(wanted == 0 ? 1e-300 : wanted), -126) - 23);
  return std::abs(static_cast<double>(got) - wanted) / unit;
}

struct Function {
  const char *name, *wide_name;  ///< the latter null where there is none
  std::function<double(double)> exact;
  double limit;
};
inline const auto functions = std::to_array<Function>({
    {"clmx_exp", "clmx_exp16", [](double x) { return std::exp(x); }, 1.0},
    {"clmx_recip", nullptr, [](double x) { return 1 / x; }, 1.0},
    {"clmx_rsqrt", nullptr, [](double x) { return 1 / std::sqrt(x); }, 1.0},
    {"clmx_sigmoid", "clmx_sigmoid16", [](double x) { return 1 / (1 + std::exp(-x)); }, 1.0},
    {"clmx_tanh", "clmx_tanh16", [](double x) { return std::tanh(x); }, 1.0},
    {"clmx_erf", "clmx_erf16", [](double x) { return std::erf(x); }, 1.0},
});

/// Whether a device may flush: the promise leaves subnormal inputs and results out there.
inline bool subnormal(float x) {
  return std::fpclassify(x) == FP_SUBNORMAL;
}

}  // namespace clmx
