#include <algorithm>
#include <array>
#include <cmath>

#include "reference_decode.hpp"

namespace clmx::reference {
namespace {

constexpr double unit = 0x1p-24;
constexpr std::array<float, 16> e2m1{0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                     -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};

std::uint32_t code_at(const Weight& w, std::size_t row, std::size_t k, std::size_t width) {
  const auto bits = static_cast<std::size_t>(w.params.bit_count());
  const std::size_t at = k * bits;
  const auto word =
      static_cast<std::uint64_t>(w.packed.values[row * (width * bits / 32) + at / 32]);
  return static_cast<std::uint32_t>(word >> (at % 32)) & ((1u << bits) - 1u);
}

/// A row in float64, and what rounding errors of its product are relative to.
struct ExactRow {
  std::vector<double> values, magnitudes;
};

ExactRow exact_row(const Weight& w, std::size_t row, std::size_t width) {
  ExactRow exact;
  const auto group_size = static_cast<std::size_t>(w.params.group());
  const std::size_t groups = width / group_size;
  for (std::size_t k = 0; k < width; ++k) {
    const std::size_t group = row * groups + k / group_size;
    const std::uint32_t code = code_at(w, row, k, width);
    const double scaled = w.biases
                              ? w.scales.values[group] * code
                              : static_cast<double>(e2m1[code]) *
                                    std::ldexp(1.0, static_cast<int>(w.scales.values[group]) - 127);
    const double bias = w.biases ? w.biases->values[group] : 0;
    exact.values.push_back(scaled + bias);
    exact.magnitudes.push_back(std::abs(scaled) + std::abs(bias));
  }
  return exact;
}

std::int64_t product_links(std::int64_t width, std::int64_t group) {
  return group + std::min<std::int64_t>(width, 256) / group + 1 + tree_depth((width + 255) / 256);
}

}  // namespace

Expected quantized_matmul(const DoubleArray& x, const Weight& w, const DoubleArray* bias,
                          std::optional<DType> dtype) {
  const std::size_t width = width_of(w), n = static_cast<std::size_t>(w.scales.shape[0]);
  DType product = x.dtype;
  if (w.biases) product = promote(promote(x.dtype, w.scales.dtype), w.biases->dtype);
  product = dtype.value_or(product);
  const DType result = bias && !dtype ? promote(product, bias->dtype) : product;
  Expected y{x.shape.with(-1, static_cast<std::int64_t>(n)), result, {}, {}};
  y.values.resize(static_cast<std::size_t>(y.shape.elements()));
  y.budget.resize(y.values.size());
  const auto links = product_links(static_cast<std::int64_t>(width), w.params.group());
  const double units = chain_units(links) * unit;
  for (std::size_t j = 0; j < n; ++j) {
    const ExactRow row = exact_row(w, j, width);
    for (std::size_t i = 0; i * n + j < y.values.size(); ++i) {
      double sum = 0, magnitude = 0;
      for (std::size_t k = 0; k < width; ++k) {
        sum += x.values[i * width + k] * row.values[k];
        magnitude += std::abs(x.values[i * width + k]) * row.magnitudes[k];
      }
      double budget = units * magnitude;
      if (bias) budget += unit * (std::abs(sum) + std::abs(bias->values[j]));
      y.values[i * n + j] = sum + (bias ? bias->values[j] : 0);
      y.budget[i * n + j] = budget;
    }
  }
  return y;
}

}  // namespace clmx::reference
