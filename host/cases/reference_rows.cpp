#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "reference.hpp"

namespace clmx::reference {
namespace {

constexpr double unit = 0x1p-24;

double unit_of(DType dtype) {
  return dtype == DType::f16 ? 0x1p-11 : dtype == DType::bf16 ? 0x1p-8 : unit;
}

double logistic(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

/// f(x) within `units` of 2^-24 of it.
template <class Function>
Expected function_of(const DoubleArray& x, double units, Function f) {
  Expected y{x.shape, x.dtype, x.values, {}};
  for (double& value : y.values) {
    value = f(value);
    y.budget.push_back(units * unit * std::abs(value));
  }
  return y;
}

/// Mean and spread of a row, and how far the mean may be off.
struct Moments {
  double mean = 0, variance = 0, mean_error = 0;
};

Moments moments(const double* x, std::size_t n, double chain) {
  Moments m;
  double magnitude = 0;
  const auto count = static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) {
    m.mean += x[i] / count;
    magnitude += std::abs(x[i]) / count;
  }
  for (std::size_t i = 0; i < n; ++i) m.variance += (x[i] - m.mean) * (x[i] - m.mean) / count;
  m.mean_error = unit * (chain + 2) * magnitude;
  return m;
}

/// The roundings to T on the way of a normed value with an error to its result.
struct Rounding {
  double u, tiny;

  double operator()(double value, double error) const {
    return error + u * (std::abs(value) + error) + tiny;
  }
};

}  // namespace

Expected gelu(const DoubleArray& x) {
  return function_of(x, 2,
                     [](double v) { return v * 0.5 * std::erfc(-v * std::numbers::sqrt2 / 2); });
}

Expected gelu_approx(const DoubleArray& x) {
  const double scale = 2 * std::sqrt(2 * std::numbers::inv_pi);
  return function_of(x, 2,
                     [=](double v) { return v * logistic(scale * (v + 0.044715 * v * v * v)); });
}

Expected gelu_fast_approx(const DoubleArray& x) {
  return function_of(x, 2, [](double v) { return v * logistic(1.702 * v); });
}

Expected relu(const DoubleArray& x) {
  Expected y{x.shape, x.dtype, x.values, {}};
  for (double& value : y.values) value = std::isnan(value) || value > 0 ? value : 0;
  return y;
}

Expected sigmoid(const DoubleArray& x) {
  return function_of(x, 6, logistic);
}

Expected tanh(const DoubleArray& x) {
  return function_of(x, 2, [](double v) { return std::tanh(v); });
}

Expected clipped_swiglu(const DoubleArray& gate, const DoubleArray& x,
                        const ClippedSwigluOptions& options) {
  const double alpha = static_cast<double>(options.alpha);
  const double limit = static_cast<double>(options.limit);
  Expected y{x.shape, promote(gate.dtype, x.dtype), {}, {}};
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    const double g = std::min(gate.values[i], limit);
    const double clipped = std::clamp(x.values[i], -limit, limit);
    const double gated = g * logistic(alpha * g);
    y.values.push_back(gated * (clipped + 1));
    y.budget.push_back(unit * (9 + 2 * std::abs(alpha * g)) * std::abs(gated) *
                       (std::abs(clipped) + 1));
  }
  return y;
}

Expected layer_norm(const DoubleArray& x, const DoubleArray* weight, const DoubleArray* bias,
                    float eps) {
  DType dtype = x.dtype;
  if (weight) dtype = promote(dtype, weight->dtype);
  if (weight && bias) dtype = promote(dtype, bias->dtype);
  const Rounding round{unit_of(dtype), dtype == DType::f16 ? 0x1p-25 : 0};
  const auto n = static_cast<std::size_t>(x.shape[-1]);
  const double chain = chain_units(static_cast<std::int64_t>(n + 15) / 16 + 4);
  Expected y{x.shape, dtype, x.values, {}};
  for (std::size_t row = 0; row < x.values.size(); row += n) {
    const Moments m = moments(x.values.data() + row, n, chain);
    const double spread = m.variance + static_cast<double>(eps), scale = 1 / std::sqrt(spread);
    const double relative = unit * (chain / 2 + 6) + m.mean_error * m.mean_error / (2 * spread);
    for (std::size_t i = 0; i < n; ++i) {
      double value = (x.values[row + i] - m.mean) * scale;
      double error = relative * std::abs(value) + m.mean_error * scale;
      if (weight || bias) error = round(value, error);
      if (weight) {
        value *= weight->values[i];
        error *= std::abs(weight->values[i]);
        if (bias) error = round(value, error);
      }
      y.values[row + i] = value;
      if (bias)
        y.values[row + i] +=
            static_cast<double>(round_to(dtype, static_cast<float>(bias->values[i])));
      y.budget.push_back(error);
    }
  }
  return y;
}

Expected softmax(const DoubleArray& x) {
  const auto n = static_cast<std::size_t>(x.shape.rank() > 0 ? x.shape[-1] : 1);
  const double chain = chain_units(static_cast<std::int64_t>(n + 15) / 16 + 4);
  Expected y{x.shape, is_float(x.dtype) ? x.dtype : DType::f32, x.values, {}};
  for (std::size_t row = 0; row < x.values.size(); row += n) {
    double largest = -std::numeric_limits<double>::infinity(), sum = 0, shift = 0;
    for (std::size_t i = 0; i < n; ++i) largest = std::fmax(largest, x.values[row + i]);
    for (std::size_t i = 0; i < n; ++i) {
      const double below = x.values[row + i] - largest, weight = std::exp(below);
      sum += weight;
      if (weight > 0) shift -= weight * below;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const double below = x.values[row + i] - largest;
      y.values[row + i] = std::exp(below) / sum;
      const double units = chain + 6 + shift / sum + (y.values[row + i] > 0 ? -below : 0);
      y.budget.push_back(unit * units * y.values[row + i]);
    }
  }
  return y;
}

}  // namespace clmx::reference
