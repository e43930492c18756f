#include "random_values.hpp"

#include <array>
#include <cmath>
#include <vector>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

// Sebastiano Vigna, https://prng.di.unimi.it/splitmix64.c (public domain).
std::uint64_t mixed(std::uint64_t counter) {
  std::uint64_t z = (counter + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

/// Inside (0, 1), never at its ends.
double unit_interval(std::uint64_t key, std::uint64_t i) {
  return (static_cast<double>(mixed(key + i) >> 12) + 0.5) * 0x1p-52;
}

// Natural logarithm of a positive normal number, from basic operations: what a system's own gives
// differs in the last bit from one to the next. x = 2^e m with m near 1; log m = 2 atanh(f), f = (m
// - 1) / (m + 1), whose series ends below 1e-17 here.
double logarithm(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  const double f = (m - 1) / (m + 1), square = f * f;
  double sum = 0;
  for (int k = 25; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
  return 2 * f * sum + exponent * 0.69314718055994531;
}

double polynomial(const std::array<double, 8>& coefficients, double x) {
  double sum = 0;
  for (std::size_t i = coefficients.size(); i-- > 0;) sum = sum * x + coefficients[i];
  return sum;
}

// Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied
// Statistics 37 (1988), PPND16: relative error about 1e-16.
double normal_quantile(double p) {
  static constexpr std::array<double, 8> a{3.3871328727963666080e0,  1.3314166789178437745e+2,
                                           1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                           4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                           3.3430575583588128105e+4, 2.5090809287301226727e+3};
  static constexpr std::array<double, 8> b{1.0,
                                           4.2313330701600911252e+1,
                                           6.8718700749205790830e+2,
                                           5.3941960214247511077e+3,
                                           2.1213794301586595867e+4,
                                           3.9307895800092710610e+4,
                                           2.8729085735721942674e+4,
                                           5.2264952788528545610e+3};
  static constexpr std::array<double, 8> c{1.42343711074968357734e0,  4.63033784615654529590e0,
                                           5.76949722146069140550e0,  3.64784832476320460504e0,
                                           1.27045825245236838258e0,  2.41780725177450611770e-1,
                                           2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr std::array<double, 8> d{1.0,
                                           2.05319162663775882187e0,
                                           1.67638483018380384940e0,
                                           6.89767334985100004550e-1,
                                           1.48103976427480074590e-1,
                                           1.51986665636164571966e-2,
                                           5.47593808499534494600e-4,
                                           1.05075007164441684324e-9};
  static constexpr std::array<double, 8> e{6.65790464350110377720e0,  5.46378491116411436990e0,
                                           1.78482653991729133580e0,  2.96560571828504891230e-1,
                                           2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                           2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static constexpr std::array<double, 8> f{1.0,
                                           5.99832206555887937690e-1,
                                           1.36929880922735805310e-1,
                                           1.48753612908506148525e-2,
                                           7.86869131145613259100e-4,
                                           1.84631831751005468180e-5,
                                           1.42151175831644588870e-7,
                                           2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(a, r) / polynomial(b, r);
  }
  const double r = std::sqrt(-logarithm(q < 0 ? p : 1 - p));
  const double tail = r <= 5 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6)
                             : polynomial(e, r - 5) / polynomial(f, r - 5);
  return q < 0 ? -tail : tail;
}

template <class Value>
Array filled(const Shape& shape, std::uint64_t seed, Value value) {
  const std::uint64_t key = mixed(seed);
  std::vector<float> values = host_values<float>(shape, 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(value(unit_interval(key, i)));
  }
  return Array::from(values, shape);
}

}  // namespace

Array constant_array(const Shape& shape, float value) {
  return Array::from(host_values(shape, value), shape);
}

Array uniform_array(const Shape& shape, float bound, std::uint64_t seed) {
  return filled(shape, seed, [&](double u) { return (2 * u - 1) * bound; });
}

Array normal_array(const Shape& shape, float deviation, std::uint64_t seed) {
  return filled(shape, seed, [&](double u) { return normal_quantile(u) * deviation; });
}

std::uint64_t seed_of_part(std::uint64_t seed, std::string_view layer, int part) {
  std::uint64_t key = mixed(seed);
  for (const char c : layer) key = mixed(key ^ static_cast<unsigned char>(c));
  return mixed(key ^ static_cast<std::uint64_t>(part));
}

void require_positive(std::int64_t value, std::string_view layer, std::string_view field) {
  require(value > 0, layer, field, " must be positive, not ", value);
}

}  // namespace clmx
