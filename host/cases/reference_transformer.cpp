#include <algorithm>
#include <cmath>
#include <limits>

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

/// Angle per position of pair i.
double frequency(const RopeOptions& options, int i) {
  if (options.periods) return 1.0 / (*options.periods)[static_cast<std::size_t>(i)];
  return std::pow(*options.base, -2.0 * i / options.dims);
}

void rotate(const double* x, double position, const RopeOptions& options, double* y,
            double* budget) {
  const int half = options.dims / 2;
  for (int i = 0; i < half; ++i) {
    const int first = options.traditional ? 2 * i : i;
    const int second = options.traditional ? 2 * i + 1 : i + half;
    const double angle = position * options.scale * frequency(options, i);
    const double a = x[first], b = x[second], c = std::cos(angle), s = std::sin(angle);
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

Expected rope(const DoubleArray& x, const RopeOptions& options) {
  Expected y{x.shape, x.dtype, x.values, std::vector<double>(x.values.size())};
  const auto dim = static_cast<std::size_t>(x.shape[-1]);
  const bool timed_first = options.layout == AttentionLayout::bthd;
  const auto time = static_cast<std::size_t>(x.shape[timed_first ? -3 : -2]);
  const auto repeats = timed_first ? static_cast<std::size_t>(x.shape[-2]) : 1;
  for (std::size_t row = 0; row * dim < x.values.size(); ++row) {
    const auto at = static_cast<double>(row / repeats % time) + static_cast<double>(options.offset);
    rotate(x.values.data() + row * dim, at, options, y.values.data() + row * dim,
           y.budget.data() + row * dim);
  }
  return y;
}

Expected attention(const DoubleArray& q, const DoubleArray& k, const DoubleArray& v,
                   const AttentionOptions& options) {
  const Heads queries(q, options.layout), keys(k, options.layout), values(v, options.layout);
  const DType dtype = promote(promote(q.dtype, k.dtype), v.dtype);
  Expected y{q.shape.with(-1, values.dim), dtype, {}, {}};
  y.values.resize(static_cast<std::size_t>(y.shape.elements()));
  y.budget.resize(y.values.size());
  for (std::int64_t b = 0; b < q.shape[0]; ++b) {
    for (std::int64_t h = 0; h < queries.heads; ++h) {
      const std::int64_t shared = h / (queries.heads / keys.heads);
      for (std::int64_t t = 0; t < queries.time; ++t) {
        std::int64_t visible = keys.time;
        double scale = static_cast<double>(options.scale);
        if (options.causal) visible = std::min(visible, t + keys.time - queries.time + 1);
        if (visible <= 0) {
          visible = keys.time;  // a row without keys gives the mean of all values
          scale = 0;
        }
        const Scores scores = scores_of(queries.row(b, h, t), keys, b, shared, visible, scale);
        const std::size_t at = queries.offset(b, h, t) / static_cast<std::size_t>(queries.dim) *
                               static_cast<std::size_t>(values.dim);
        attend(scores, values, b, shared, y.values.data() + at, y.budget.data() + at);
      }
    }
  }
  return y;
}

}  // namespace clmx::reference
