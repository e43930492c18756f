#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "reference.hpp"

namespace clmx::reference {
namespace {

constexpr double unit = 0x1p-24;

std::size_t count(const Shape& shape) {
  return static_cast<std::size_t>(shape.elements());
}

/// Where element i of `to` comes from in an array that broadcasts to it.
std::size_t source(const Shape& from, const Shape& to, std::size_t i) {
  std::size_t at = 0, stride = 1, rest = i;
  for (int axis = 1; axis <= to.rank(); ++axis) {
    const auto size = static_cast<std::size_t>(to[-axis]);
    const std::size_t along = rest % size;
    rest /= size;
    if (axis > from.rank()) continue;
    const auto own = static_cast<std::size_t>(from[-axis]);
    at += (own == 1 ? 0 : along) * stride;
    stride *= own;
  }
  return at;
}

template <class F>
Expected binary(const DoubleArray& a, const DoubleArray& b, F apply) {
  Expected y{broadcast(a.shape, b.shape, "reference"), promote(a.dtype, b.dtype), {}, {}};
  y.values.resize(count(y.shape));
  for (std::size_t i = 0; i < y.values.size(); ++i)
    y.values[i] =
        apply(a.values[source(a.shape, y.shape, i)], b.values[source(b.shape, y.shape, i)]);
  return y;
}

double silu_of(double x) {
  return x / (1.0 + std::exp(-x));
}

double to_integer(double value, DType to) {
  if (std::isnan(value)) return 0;
  const double low = to == DType::i32 ? std::numeric_limits<std::int32_t>::min() : 0;
  const double high = to == DType::u8    ? 255.0
                      : to == DType::u32 ? std::numeric_limits<std::uint32_t>::max()
                                         : std::numeric_limits<std::int32_t>::max();
  return std::clamp(std::trunc(value), low, high) + 0.0;
}

}  // namespace

double chain_units(std::int64_t links) {
  return 4.0 + 1.25 * std::sqrt(static_cast<double>(links));
}

std::int64_t tree_depth(std::int64_t blocks) {
  std::int64_t depth = 0;
  while ((std::int64_t{1} << depth) < blocks) ++depth;
  return depth;
}

Expected cast(const DoubleArray& x, DType to) {
  Expected y{x.shape, to, x.values, {}};
  if (is_float(to)) return y;
  for (double& value : y.values) value = to_integer(value, to);
  return y;
}

Expected add(const DoubleArray& a, const DoubleArray& b) {
  return binary(a, b, [](double p, double q) { return p + q; });
}

Expected multiply(const DoubleArray& a, const DoubleArray& b) {
  return binary(a, b, [](double p, double q) { return p * q; });
}

Expected silu(const DoubleArray& x) {
  Expected y{x.shape, x.dtype, x.values, {}};
  for (double& value : y.values) {
    value = silu_of(value);
    y.budget.push_back(8 * unit * std::abs(value));
  }
  return y;
}

Expected swiglu(const DoubleArray& gate, const DoubleArray& x) {
  Expected y = binary(gate, x, [](double g, double v) { return silu_of(g) * v; });
  for (const double value : y.values) y.budget.push_back(9 * unit * std::abs(value));
  return y;
}

Expected swiglu_halves(const DoubleArray& x) {
  const auto width = static_cast<std::size_t>(x.shape[-1] / 2);
  const Shape shape = x.shape.with(-1, x.shape[-1] / 2);
  DoubleArray gate{shape, x.dtype, {}}, up{shape, x.dtype, {}};
  for (std::size_t i = 0; i < x.values.size(); ++i)
    (i % (2 * width) < width ? gate : up).values.push_back(x.values[i]);
  return swiglu(gate, up);
}

Expected argmax(const DoubleArray& x) {
  const auto width = static_cast<std::size_t>(x.shape[-1]);
  Expected y{x.shape.slice(0, x.shape.rank() - 1), DType::i32, {}, {}};
  for (std::size_t row = 0; row < x.values.size(); row += width) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < width; ++i) {
      const double value = x.values[row + i], held = x.values[row + best];
      if (value > held || (std::isnan(held) && !std::isnan(value))) best = i;
    }
    y.values.push_back(static_cast<double>(best));
  }
  return y;
}

Expected argsort(const DoubleArray& x) {
  const auto width = static_cast<std::size_t>(x.shape[-1]);
  Expected y{x.shape, DType::u32, {}, {}};
  std::vector<std::size_t> order(width);
  for (std::size_t row = 0; row < x.values.size(); row += width) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
      const double a = x.values[row + i], b = x.values[row + j];
      return a < b || (!std::isnan(a) && std::isnan(b));
    });
    y.values.insert(y.values.end(), order.begin(), order.end());
  }
  return y;
}

std::vector<Expected> topk(const DoubleArray& x, const TopKOptions& options) {
  const auto width = static_cast<std::size_t>(x.shape[-1]);
  const auto k = static_cast<std::size_t>(options.k);
  const Shape shape = x.shape.with(-1, options.k);
  const Expected order = argsort(x);
  Expected values{shape, x.dtype, {}, {}}, indices{shape, DType::u32, {}, {}};
  for (std::size_t row = 0; k > 0 && row < x.values.size(); row += width) {
    for (std::size_t i = width - k; i < width; ++i) {
      const double column = order.values[row + i];
      indices.values.push_back(column);
      values.values.push_back(x.values[row + static_cast<std::size_t>(column)]);
    }
  }
  return {values, indices};
}

Expected gather(const DoubleArray& table, const DoubleArray& rows) {
  const std::int64_t count_of_rows = table.shape[0], width = table.shape[1];
  std::vector<std::int64_t> sizes(rows.shape.sizes().begin(), rows.shape.sizes().end());
  sizes.push_back(width);
  Expected y{Shape(sizes), table.dtype, {}, {}};
  for (const double row : rows.values) {
    const auto at =
        static_cast<std::int64_t>(row < 0 ? row + static_cast<double>(count_of_rows) : row);
    const auto begin = table.values.begin() + at * width;
    y.values.insert(y.values.end(), begin, begin + width);
  }
  return y;
}

Expected concatenate(const Doubles& parts) {
  std::int64_t width = 0;
  for (const DoubleArray& part : parts) width += part.shape[-1];
  const DoubleArray& first = parts.front();
  Expected y{first.shape.with(-1, width), first.dtype, {}, {}};
  const std::int64_t rows = first.shape.elements(0, first.shape.rank() - 1);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (const DoubleArray& part : parts) {
      const auto begin = part.values.begin() + row * part.shape[-1];
      y.values.insert(y.values.end(), begin, begin + part.shape[-1]);
    }
  }
  return y;
}

Expected matmul(const DoubleArray& a, const DoubleArray& b, bool transpose_b) {
  const auto k = static_cast<std::size_t>(a.shape[-1]);
  const auto n = static_cast<std::size_t>(transpose_b ? b.shape[-2] : b.shape[-1]);
  const auto rows = static_cast<std::size_t>(a.shape.elements(0, a.shape.rank() - 1));
  const auto m = static_cast<std::size_t>(a.shape[-2]);
  Expected y{a.shape.with(-1, static_cast<std::int64_t>(n)), promote(a.dtype, b.dtype), {}, {}};
  const auto chain = static_cast<std::int64_t>(std::min<std::size_t>(k, 256));
  const double units = chain_units(chain + tree_depth(static_cast<std::int64_t>((k + 255) / 256)));
  y.units = units;
  y.chain = chain;
  for (std::size_t row = 0; row < rows; ++row) {
    const double* x = a.values.data() + row * k;
    const double* w = b.values.data() + (b.shape.rank() > 2 ? row / m * k * n : 0);
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0, magnitude = 0;
      for (std::size_t i = 0; i < k; ++i) {
        const double term = x[i] * (transpose_b ? w[j * k + i] : w[i * n + j]);
        sum += term;
        magnitude += std::abs(term);
      }
      y.values.push_back(sum);
      y.budget.push_back(units * unit * magnitude);
    }
  }
  return y;
}

}  // namespace clmx::reference
