#include "numerics.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include "case_data.hpp"
#include "launch.hpp"
#include "loop_limit.hpp"

namespace clmx {
namespace {

constexpr std::size_t points = std::size_t{1} << 19;
constexpr std::size_t group = 64;
using Floats = std::vector<float>;

struct Operands {
  Floats x, y, z;
};

/// Runs the kernels of one device.
class Meter {
 public:
  explicit Meter(const Device& device) : stream_(device.default_stream()) {}

  Floats apply(std::string_view entry, const Operands& in,
               std::string_view file = "numerics.cl") const {
    const Shape shape{static_cast<std::int64_t>(in.x.size())};
    const Array x = Array::from(in.x, shape);
    const Array y = in.y.empty() ? x : Array::from(in.y, shape);
    const Array z = in.z.empty() ? x : Array::from(in.z, shape);
    const Array to = Array::empty(shape, DType::f32, stream_);
    launch(stream_, kernel(file, entry), Grid::linear(in.x.size(), group), x, y, z, to);
    return to.to_vector<float>();
  }
  template <class From, class To>
  std::vector<To> convert(std::string_view entry, const std::vector<From>& from, DType to) const {
    const Shape shape{static_cast<std::int64_t>(from.size())};
    const Array result = Array::empty(shape, to, stream_);
    launch(stream_, kernel("numerics.cl", entry), Grid::linear(from.size(), group),
           Array::from(from, shape), result);
    return result.to_vector<To>();
  }

 private:
  Kernel kernel(std::string_view file, std::string_view entry) const {
    return stream_.device().kernel({kernels(), file, entry, {}});
  }
  Stream stream_;
};

bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

/// Random sign and significand, exponent field between the two.
Floats spread(Random& random, int low, int high) {
  Floats values(points);
  for (float& value : values) {
    const auto exponent = static_cast<std::uint32_t>(random.integer(low, high));
    value = std::bit_cast<float>((static_cast<std::uint32_t>(random.bits()) & 0x807fffffu) |
                                 exponent << 23);
  }
  return values;
}

Floats between(Random& random, double low, double high) {
  Floats values(points);
  for (float& value : values) value = static_cast<float>(low + (high - low) * random.uniform());
  return values;
}

template <class Reference>
Wrong compared(const Floats& got, const Operands& in, Reference reference) {
  Wrong wrong{0, got.size()};
  for (std::size_t i = 0; i < got.size(); ++i) {
    const float y = in.y.empty() ? 0 : in.y[i], z = in.z.empty() ? 0 : in.z[i];
    if (!same_bits(got[i], reference(in.x[i], y, z))) ++wrong.count;
  }
  return wrong;
}

Contraction contraction_in(const Floats& got, const Operands& in) {
  bool fused = false, separate = false, other = false;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const float joined = std::fma(in.x[i], in.y[i], in.z[i]);
    const float apart = in.x[i] * in.y[i] + in.z[i];  // the build keeps these apart
    if (same_bits(joined, apart)) continue;
    (same_bits(got[i], joined) ? fused : same_bits(got[i], apart) ? separate : other) = true;
  }
  if (other || fused == separate) return Contraction::mixed;
  return fused ? Contraction::fused : Contraction::separate;
}

void measure_products(const Meter& meter, Numerics& found) {
  Random random(1);
  const Operands in{spread(random, 120, 134), spread(random, 120, 134), spread(random, 118, 138)};
  found.by_default = contraction_in(meter.apply("measure_default", in, "numerics_contract.cl"), in);
  found.mad = contraction_in(meter.apply("measure_mad", in, "numerics_contract.cl"), in);
  found.fma = compared(meter.apply("measure_fma", in), in,
                       [](float x, float y, float z) { return std::fma(x, y, z); });
  found.divide = compared(meter.apply("measure_divide", in), in,
                          [](float x, float y, float) { return x / y; });
  Operands positive{in.x, {}, {}};
  for (float& x : positive.x) x = std::fabs(x);
  found.square_root = compared(meter.apply("measure_sqrt", positive), positive,
                               [](float x, float, float) { return std::sqrt(x); });
}

void measure_denormals(const Meter& meter, Numerics& found) {
  Random random(2);
  const Operands small{spread(random, 0, 2), spread(random, 125, 127), {}};
  found.multiply_denormal = compared(meter.apply("measure_multiply", small), small,
                                     [](float x, float y, float) { return x * y; });
  const Operands sums{spread(random, 0, 1), spread(random, 0, 1), {}};
  found.add_denormal = compared(meter.apply("measure_add", sums), sums,
                                [](float x, float y, float) { return x + y; });
  const auto flushed = [](const Floats& got) {
    return Wrong{static_cast<std::uint64_t>(std::ranges::count(got, 0.0f)), got.size()};
  };
  found.exp_denormal = flushed(meter.apply("measure_exp", {between(random, -103, -88), {}, {}}));
  found.ldexp_denormal =
      flushed(meter.apply("measure_ldexp", {between(random, 1, 2), Floats(points, -140), {}}));
}

void measure_halves(const Meter& meter, Numerics& found) {
  Random random(3);
  Floats values;
  while (values.size() < points) {
    const Floats some = spread(random, 98, 146);  // from below the least half to above the largest
    values.insert(values.end(), some.begin(), some.end());
  }
  const auto wrong_stores = [&](std::string_view entry) {
    const auto got = meter.convert<float, Half>(entry, values, DType::f16);
    Wrong wrong{0, got.size()};
    for (std::size_t i = 0; i < got.size(); ++i) wrong.count += got[i].bits != Half(values[i]).bits;
    return wrong;
  };
  found.store_half = wrong_stores("store_half");
  found.store_half_rte = wrong_stores("store_half_rte");
  std::vector<Half> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i].bits = static_cast<std::uint16_t>(i);
  const auto loaded = meter.convert<Half, float>("load_half", halves, DType::f32);
  found.load_half.of = halves.size();
  for (std::size_t i = 0; i < halves.size(); ++i) {
    const auto wanted = static_cast<float>(halves[i]);
    const bool same = std::isnan(wanted) ? std::isnan(loaded[i]) : same_bits(loaded[i], wanted);
    found.load_half.count += !same;
  }
}

void measure_nan(const Meter& meter, Numerics& found) {
  const Floats nan(group, NAN), one(group, 1.0f);
  found.nan_equals_itself = meter.apply("measure_equal", {nan, nan, {}}).front() != 0;
  found.min_drops_nan = meter.apply("measure_min", {nan, one, {}}).front() == 1.0f;
  found.max_drops_nan = meter.apply("measure_max", {nan, one, {}}).front() == 1.0f;
}

double ulps(float got, double wanted) {
  if (static_cast<float>(wanted) == got && got == wanted) return 0;
  if (!std::isfinite(got)) return INFINITY;
  return std::fabs(got - wanted) / std::ldexp(1.0, std::max(std::ilogb(wanted), -126) - 23);
}

constexpr float exponent_of_pow = 1.7f;

struct Function {
  const char *name, *entry;
  double low, high, allowed;
  double (*reference)(double);
};

// Allowed: OpenCL 3.0, relative error as ULP values, full profile.
constexpr auto functions = std::to_array<Function>({
    {"exp", "measure_exp", -20, 20, 3, [](double x) { return std::exp(x); }},
    {"exp2", "measure_exp2", -20, 20, 3, [](double x) { return std::exp2(x); }},
    {"log", "measure_log", 1e-3, 1e3, 3, [](double x) { return std::log(x); }},
    {"log2", "measure_log2", 1e-3, 1e3, 3, [](double x) { return std::log2(x); }},
    {"sin", "measure_sin", 0, 8192, 4, [](double x) { return std::sin(x); }},
    {"cos", "measure_cos", 0, 8192, 4, [](double x) { return std::cos(x); }},
    {"tanh", "measure_tanh", -5, 5, 5, [](double x) { return std::tanh(x); }},
    {"erf", "measure_erf", -4, 4, 16, [](double x) { return std::erf(x); }},
    {"rsqrt", "measure_rsqrt", 1e-3, 1e3, 2, [](double x) { return 1 / std::sqrt(x); }},
    {"sqrt", "measure_sqrt", 1e-3, 1e3, 3, [](double x) { return std::sqrt(x); }},
    {"pow(x, 1.7)", "measure_pow", 1e-3, 1e3, 16,
     [](double x) { return std::pow(x, static_cast<double>(exponent_of_pow)); }},
});

FunctionAccuracy accuracy(const Meter& meter, const Function& function) {
  Random random(4);
  const Operands in{
      between(random, function.low, function.high), Floats(points, exponent_of_pow), {}};
  const Floats got = meter.apply(function.entry, in);
  FunctionAccuracy found{function.name, function.low, function.high, 0, 0, function.allowed};
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double off = ulps(got[i], function.reference(in.x[i]));
    if (off <= found.worst_ulp) continue;
    found.worst_ulp = off;
    found.at = in.x[i];
  }
  return found;
}

}  // namespace

std::string_view to_string(Contraction contraction) {
  switch (contraction) {
    case Contraction::fused:
      return "fused";
    case Contraction::separate:
      return "separate";
    case Contraction::mixed:
      return "mixed";
  }
  return "unknown";
}

Numerics measure_numerics(const Device& device) {
  const Meter meter(device);
  Numerics found;
  measure_products(meter, found);
  measure_denormals(meter, found);
  measure_halves(meter, found);
  measure_nan(meter, found);
  found.turns = static_cast<std::uint64_t>(loop_limit(device));
  found.turns_tried = static_cast<std::uint64_t>(turns_tried);
  for (const Function& function : functions) found.functions.push_back(accuracy(meter, function));
  return found;
}

}  // namespace clmx
