#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <numbers>
#include <string>
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

/// A function that cl/unary.cl can apply.
struct Function {
  const char* name;
  bool wide;  ///< also there for float16
  double (*exact)(double);
  double limit;  ///< in units of the last place
};
inline constexpr auto functions = std::to_array<Function>({
    {"clmx_exp", true, [](double x) { return std::exp(x); }, 1.0},
    {"clmx_recip", false, [](double x) { return 1 / x; }, 1.0},
    {"clmx_rsqrt", false, [](double x) { return 1 / std::sqrt(x); }, 1.0},
    {"clmx_sigmoid", true, [](double x) { return 1 / (1 + std::exp(-x)); }, 1.0},
    {"clmx_tanh", true, [](double x) { return std::tanh(x); }, 1.0},
    {"clmx_gelu", true, [](double x) { return x / 2 * std::erfc(-x / std::numbers::sqrt2); }, 1.0},
    {"clmx_gelu_approx", true,
     [](double x) {
       const double z = 2 * std::sqrt(2 * std::numbers::inv_pi) * (x + 0.044715 * x * x * x);
       return x / (1 + std::exp(-z));
     },
     1.0},
    {"clmx_gelu_fast_approx", true, [](double x) { return x / (1 + std::exp(-1.702 * x)); }, 1.0},
});

/// As the name of a test: without what it begins with in the kernels.
inline std::string name_of(const Function& function) {
  const std::string name = function.name;
  return name.starts_with("clmx_") ? name.substr(5) : name;
}

inline Array apply(const Device& device, const char* function, bool wide, const Array& x) {
  const Stream stream = device.default_stream();
  const Kernel kernel =
      device.kernel({kernels(),
                     "unary.cl",
                     "unary",
                     {{"X", x.dtype()}, {"FUNCTION", FunctionName{function}}, {"WIDE", wide}}});
  const std::int64_t per_item = wide ? 4096 : 1;
  const auto items = static_cast<std::size_t>((x.size() + per_item - 1) / per_item);
  Array y = Array::empty(x.shape(), x.dtype(), stream);
  launch(stream, kernel, Grid::linear(items, 1), x, y, x.size(), per_item);
  return y;
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

/// Whether a device may flush: the promise leaves subnormal inputs and results out there.
inline bool subnormal(float x) {
  return std::fpclassify(x) == FP_SUBNORMAL;
}
inline bool may_flush(const Device& device) {
  return device.info().device_class == DeviceClass::emulated;
}

}  // namespace clmx
