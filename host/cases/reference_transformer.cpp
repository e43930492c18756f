#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "reference.hpp"

namespace clmx::reference {
namespace {

constexpr double unit = 0x1p-24;

double unit_of(DType dtype) {
  return dtype == DType::f16 ? 0x1p-11 : dtype == DType::bf16 ? 0x1p-8 : unit;
}

/// Axes of an attention operand, whichever layout it has.
struct Heads {
  Heads(const DoubleArray& array, AttentionLayout layout)
      : x(&array), timed_first(layout == AttentionLayout::bthd) {
    heads = array.shape[timed_first ? 2 : 1];
    time = array.shape[timed_first ? 1 : 2];
    dim = array.shape[3];
  }
  std::size_t offset(std::int64_t b, std::int64_t h, std::int64_t t) const {
    const std::int64_t row = timed_first ? (b * time + t) * heads + h : (b * heads + h) * time + t;
    return static_cast<std::size_t>(row * dim);
  }
  const double* row(std::int64_t b, std::int64_t h, std::int64_t t) const {
    return x->values.data() + offset(b, h, t);
  }

  const DoubleArray* x;
  bool timed_first;
  std::int64_t heads = 0, time = 0, dim = 0;
};

/// The scores of one query over the keys it may see, and a bound of their error.
struct Scores {
  std::vector<double> values;
  double highest = -std::numeric_limits<double>::infinity(), error = 0;
};

Scores scores_of(const double* q, const Heads& k, std::int64_t b, std::int64_t h,
                 std::int64_t visible, double scale) {
  Scores scores;
  std::vector<double> magnitudes;
  for (std::int64_t t = 0; t < visible; ++t) {
    const double* key = k.row(b, h, t);
    double sum = 0, magnitude = 0;
    for (std::int64_t i = 0; i < k.dim; ++i) {
      sum += scale * q[i] * key[i];
      magnitude += std::abs(scale * q[i] * key[i]);
    }
    scores.values.push_back(sum);
    magnitudes.push_back(magnitude);
    scores.highest = std::max(scores.highest, sum);
  }
  for (std::size_t t = 0; t < magnitudes.size(); ++t) {
    const double shift = std::abs(scores.values[t]) + std::abs(scores.highest);
    const double error = unit * ((chain_units(k.dim) + 1) * magnitudes[t] + shift);
    scores.error = std::max(scores.error, error);
  }
  return scores;
}

/// Appends one row of the result: the weighted mean of the visible values.
void attend(const Scores& scores, const Heads& v, std::int64_t b, std::int64_t h, double* y,
            double* budget) {
  const auto visible = static_cast<std::int64_t>(scores.values.size());
  const std::int64_t links = std::min<std::int64_t>(visible, 64) + tree_depth((visible + 63) / 64);
  const double relative = 2 * scores.error + unit * (2 * chain_units(links) + 4);
  double total = 0;
  for (const double score : scores.values) total += std::exp(score - scores.highest);
  for (std::int64_t i = 0; i < v.dim; ++i) {
    double sum = 0, magnitude = 0;
    for (std::int64_t t = 0; t < visible; ++t) {
      const double weight =
          std::exp(scores.values[static_cast<std::size_t>(t)] - scores.highest) / total;
      sum += weight * v.row(b, h, t)[i];
      magnitude += std::abs(weight * v.row(b, h, t)[i]);
    }
    y[i] = sum;
    budget[i] = relative * magnitude;
  }
}

/// Every query over the first `length` keys.
Expected attend_all(const Heads& q, const Heads& k, const Heads& v, std::int64_t length,
                    const AttentionOptions& options) {
  const DType dtype = promote(promote(q.x->dtype, k.x->dtype), v.x->dtype);
  Expected y{q.x->shape.with(-1, v.dim), dtype, {}, {}};
  y.values.resize(static_cast<std::size_t>(y.shape.elements()));
  y.budget.resize(y.values.size());
  for (std::int64_t row = 0; row < q.x->shape[0] * q.heads * q.time; ++row) {
    const std::int64_t b = row / (q.heads * q.time), h = row / q.time % q.heads, t = row % q.time;
    const std::int64_t shared = h / (q.heads / k.heads);
    std::int64_t visible = length;
    double scale = static_cast<double>(options.scale);
    if (options.causal) visible = std::min(visible, t + length - q.time + 1);
    if (visible <= 0) {
      visible = length;  // a row without keys gives the mean of all values
      scale = 0;
    }
    const Scores scores = scores_of(q.row(b, h, t), k, b, shared, visible, scale);
    const std::size_t at = q.offset(b, h, t) / static_cast<std::size_t>(q.dim);
    const std::size_t to = at * static_cast<std::size_t>(v.dim);
    attend(scores, v, b, shared, y.values.data() + to, y.budget.data() + to);
  }
  return y;
}

/// Angle per position of pair i.
double frequency(const RopeOptions& options, int i) {
  if (options.periods) return 1.0 / (*options.periods)[static_cast<std::size_t>(i)];
  return std::pow(*options.base, -2.0 * i / options.dims);
}

/// Pairs of elements, in neighbours or halves, turned by the angles whose cos and sin are given.
void rotate(const double* x, std::span<const double> cos, std::span<const double> sin,
            bool traditional, double* y, double* budget) {
  for (std::size_t i = 0; i < cos.size(); ++i) {
    const std::size_t first = traditional ? 2 * i : i;
    const std::size_t second = traditional ? 2 * i + 1 : i + cos.size();
    const double a = x[first], b = x[second], c = cos[i], s = sin[i];
    y[first] = a * c - b * s;
    y[second] = a * s + b * c;
    budget[first] = 2 * unit * (std::abs(a * c) + std::abs(b * s));
    budget[second] = 2 * unit * (std::abs(a * s) + std::abs(b * c));
  }
}

}  // namespace

Expected rms_norm(const DoubleArray& x, const DoubleArray* weight, float eps) {
  const auto n = static_cast<std::size_t>(x.shape[-1]);
  Expected y{x.shape, weight ? promote(x.dtype, weight->dtype) : x.dtype, x.values, {}};
  const double chain = std::ceil(static_cast<double>(n) / 16) + 4;
  const double inner = (chain / 2 + 6) * unit + (weight ? unit_of(x.dtype) + unit : 0);
  const double tiny = weight && x.dtype == DType::f16 ? 0x1p-25 : 0;
  for (std::size_t row = 0; row < x.values.size(); row += n) {
    double squares = 0;
    for (std::size_t i = 0; i < n; ++i) squares += x.values[row + i] * x.values[row + i];
    const double root = std::sqrt(squares / static_cast<double>(n) + static_cast<double>(eps));
    for (std::size_t i = 0; i < n; ++i) {
      const double factor = weight ? weight->values[i] : 1.0;
      y.values[row + i] = x.values[row + i] / root * factor;
      y.budget.push_back(inner * std::abs(y.values[row + i]) + tiny * std::abs(factor));
    }
  }
  return y;
}

Expected rope_table(const DoubleArray& x, const DoubleArray& cos, const DoubleArray& sin,
                    const RopeTableOptions& options) {
  Expected y{x.shape, x.dtype, x.values, std::vector<double>(x.values.size())};
  const auto dim = static_cast<std::size_t>(x.shape[-1]);
  const bool timed_first = options.layout == AttentionLayout::bthd;
  const auto time = static_cast<std::size_t>(x.shape[timed_first ? -3 : -2]);
  const auto repeats = timed_first ? static_cast<std::size_t>(x.shape[-2]) : 1;
  const auto half = static_cast<std::size_t>(options.dims / 2);
  for (std::size_t row = 0; row * dim < x.values.size(); ++row) {
    const std::size_t at = row / repeats % time + static_cast<std::size_t>(options.offset);
    rotate(x.values.data() + row * dim, std::span(cos.values).subspan(at * half, half),
           std::span(sin.values).subspan(at * half, half), options.traditional,
           y.values.data() + row * dim, y.budget.data() + row * dim);
  }
  return y;
}

Expected rope(const DoubleArray& x, const RopeOptions& options) {
  const std::int64_t time = x.shape[options.layout == AttentionLayout::bthd ? -3 : -2];
  const Shape shape{time, options.dims / 2};
  DoubleArray cos{shape, DType::f32, {}}, sin{shape, DType::f32, {}};
  for (std::int64_t t = 0; t < time; ++t) {
    for (int i = 0; i < options.dims / 2; ++i) {
      const double position = static_cast<double>(t + options.offset) * options.scale;
      cos.values.push_back(std::cos(position * frequency(options, i)));
      sin.values.push_back(std::sin(position * frequency(options, i)));
    }
  }
  return rope_table(x, cos, sin, {options.dims, options.traditional, 0, options.layout});
}

Expected attention(const DoubleArray& q, const DoubleArray& k, const DoubleArray& v,
                   const AttentionOptions& options) {
  const Heads keys(k, options.layout);
  return attend_all(Heads(q, options.layout), keys, Heads(v, options.layout), keys.time, options);
}

Expected cached_attention(const DoubleArray& q, const DoubleArray& k, const DoubleArray& v,
                          const CachedAttentionOptions& options) {
  constexpr AttentionLayout stored = AttentionLayout::bhtd;
  return attend_all(Heads(q, options.attention.layout), Heads(k, stored), Heads(v, stored),
                    options.length, options.attention);
}

}  // namespace clmx::reference
