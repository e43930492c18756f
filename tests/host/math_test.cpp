#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "kernel_library.hpp"
#include "launch.hpp"
#include "support/test_devices.hpp"

namespace clmx {

/// The name of a function as a kernel constant.
struct FunctionName {
  std::string_view text;
};
ConstantValue to_constant(FunctionName name) {
  return {0, name.text};
}

namespace {

constexpr std::string_view apply_kernel = R"(
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

const KernelLibrary& math_library() {
  static const auto files = [] {
    std::vector<KernelSource> all(kernels().files.begin(), kernels().files.end());
    all.push_back({"apply.cl", apply_kernel});
    return all;
  }();
  static const KernelLibrary library{"math_test", files};
  return library;
}

std::vector<float> apply(const Device& device, const char* function, bool wide, const Array& x) {
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

/// Every exponent with mantissas spread over it, both signs; then the specials.
Array many_floats() {
  std::vector<float> values;
  for (std::uint32_t bits = 0; bits < 0x7f800000u; bits += 40'093)
    for (const std::uint32_t sign : {0u, 0x80000000u})
      values.push_back(std::bit_cast<float>(bits | sign));
  for (float x = -110.0f; x < 95.0f; x += 0.0137f) values.push_back(x);
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float x : {0.0f, -0.0f, 1.0f, 2.0f, infinity, -infinity, NAN}) values.push_back(x);
  while (values.size() % 16 != 0) values.push_back(1.0f);
  return Array::from(values, Shape{static_cast<std::int64_t>(values.size())});
}

/// |got - wanted| in units of wanted's last place in f32; subnormals count as the smallest ones.
double ulps(float got, double wanted) {
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
const auto functions = std::to_array<Function>({
    {"clmx_exp", "clmx_exp16", [](double x) { return std::exp(x); }, 1.0},
    {"clmx_recip", nullptr, [](double x) { return 1 / x; }, 1.0},
    {"clmx_rsqrt", nullptr, [](double x) { return 1 / std::sqrt(x); }, 1.0},
    {"clmx_sigmoid", "clmx_sigmoid16", [](double x) { return 1 / (1 + std::exp(-x)); }, 1.0},
    {"clmx_tanh", "clmx_tanh16", [](double x) { return std::tanh(x); }, 1.0},
    {"clmx_erf", "clmx_erf16", [](double x) { return std::erf(x); }, 1.0},
});

/// Whether a device may flush: the promise leaves subnormal inputs and results out there.
bool subnormal(float x) {
  return std::fpclassify(x) == FP_SUBNORMAL;
}

class OwnMath : public testing::TestWithParam<Function> {};

TEST_P(OwnMath, IsAccurateOverTheWholeRangeOnEveryDevice) {
  const Array x = many_floats();
  const std::vector<float> inputs = x.to_vector<float>();
  for (const Device& device : test_devices()) {
    const bool flushes = device.info().device_class == DeviceClass::emulated;
    const std::vector<float> got = apply(device, GetParam().name, false, x);
    double worst = 0;
    float where = 0;
    for (std::size_t i = 0; i < got.size(); i++) {
      const double wanted = GetParam().exact(static_cast<double>(inputs[i]));
      if (flushes && (subnormal(inputs[i]) || subnormal(static_cast<float>(wanted)))) continue;
      const double error = ulps(got[i], wanted);
      if (error > worst) {
        worst = error;
        where = inputs[i];
      }
    }
    RecordProperty("worst_ulps_" + device.info().selector, std::to_string(worst));
    EXPECT_LT(worst, GetParam().limit) << device.info().selector << " at " << where;
  }
}

TEST_P(OwnMath, HasTheSameBitsOnEveryDeviceAndInVectors) {
  const Array x = many_floats();
  const std::vector<float> inputs = x.to_vector<float>();
  std::vector<float> first;
  for (const Device& device : test_devices()) {
    const bool vectors = device.info().device_class == DeviceClass::cpu_vector;
    for (const bool wide : {false, true}) {
      if (wide && (!vectors || !GetParam().wide_name)) continue;
      const char* name = wide ? GetParam().wide_name : GetParam().name;
      const std::vector<float> got = apply(device, name, wide, x);
      if (first.empty()) first = got;
      std::size_t different = 0;
      for (std::size_t i = 0; i < got.size(); i++) {
        const bool excused = !vectors && (subnormal(inputs[i]) || subnormal(first[i]));
        if (excused || std::isnan(first[i])) continue;
        different += std::bit_cast<std::uint32_t>(got[i]) != std::bit_cast<std::uint32_t>(first[i]);
      }
      EXPECT_EQ(different, 0u) << device.info().selector << " wide " << wide;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, OwnMath, testing::ValuesIn(functions), [](const auto& function) {
  return std::string(function.param.name).substr(5);
});

}  // namespace
}  // namespace clmx
