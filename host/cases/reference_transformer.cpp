#include <algorithm>
#include <array>
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

/// What decides which keys a query sees; null where it is not given.
struct Masks {
  const DoubleArray *mask, *sinks;

  static Masks of(const Doubles& in, const AttentionOptions& options) {
    return {options.mask ? &in[3] : nullptr, options.sinks ? &in.back() : nullptr};
  }
  /// The element of the mask for (batch, head, query, key).
  double at(const std::array<std::int64_t, 4>& index) const {
    std::int64_t position = 0, step = 1;
    for (int back = 1; back <= mask->shape.rank(); ++back) {
      const std::int64_t size = mask->shape[-back];
      if (size > 1) position += step * index[static_cast<std::size_t>(4 - back)];
      step *= size;
    }
    return mask->values[static_cast<std::size_t>(position)];
  }
};

/// The keys a query sees and what is added to their scores. If there are none: all of them, with
/// the lowest score of f32.
struct Visible {
  std::vector<std::int64_t> keys;
  std::vector<double> added;
  bool none = false;
};

// The places of one row. NOLINTNEXTLINE(readability-function-size)
Visible visible_to(std::int64_t b, std::int64_t h, std::int64_t t, std::int64_t queries,
                   std::int64_t length, const AttentionOptions& options, const Masks& masks) {
  Visible visible;
  const std::int64_t own = t + length - queries;
  for (std::int64_t key = 0; key < length; ++key) {
    if (options.causal && key > own) break;
    if (options.window && key <= own - *options.window) continue;
    const double mask = masks.mask ? masks.at({b, h, t, key}) : 0;
    const bool boolean = masks.mask && masks.mask->dtype == DType::u8;
    if (boolean && mask == 0) continue;
    visible.keys.push_back(key);
    visible.added.push_back(boolean ? 0 : mask);
  }
  visible.none = visible.keys.empty();
  for (std::int64_t key = 0; visible.none && key < length; ++key) visible.keys.push_back(key);
  return visible;
}

/// The scores of one query over the keys it sees, and a bound of their error.
struct Scores {
  std::vector<double> values;
  double highest = -std::numeric_limits<double>::infinity(), error = 0;
};

// The places of one row. NOLINTNEXTLINE(readability-function-size)
Scores scores_of(const double* q, const Heads& k, std::int64_t b, std::int64_t h,
                 const Visible& visible, double scale, const double* sink) {
  Scores scores;
  std::vector<double> magnitudes;
  for (std::size_t i = 0; i < visible.keys.size(); ++i) {
    const double* key = k.row(b, h, visible.keys[i]);
    double sum = 0, magnitude = 0;
    for (std::int64_t d = 0; d < k.dim; ++d) {
      sum += scale * q[d] * key[d];
      magnitude += std::abs(scale * q[d] * key[d]);
    }
    if (visible.none) sum = -static_cast<double>(std::numeric_limits<float>::max());
    if (!visible.none) sum += visible.added[i];
    scores.values.push_back(sum);
    magnitudes.push_back(magnitude);
    scores.highest = std::max(scores.highest, sum);
  }
  if (sink) scores.highest = std::max(scores.highest, *sink);
  for (std::size_t i = 0; i < magnitudes.size() && !visible.none; ++i) {
    if (std::isinf(scores.values[i])) continue;
    const double shift = std::abs(scores.values[i]) + std::abs(scores.highest);
    const double added = std::abs(visible.added[i]);
    const double error = unit * ((chain_units(k.dim) + 1) * magnitudes[i] + added + shift);
    scores.error = std::max(scores.error, error);
  }
  return scores;
}

/// Appends one row of the result: the weighted mean of the visible values.
// The places of one row. NOLINTNEXTLINE(readability-function-size)
void attend(const Scores& scores, const Visible& visible, const double* sink, const Heads& v,
            std::int64_t b, std::int64_t h, double* y, double* budget) {
  const std::int64_t span = visible.keys.back() - visible.keys.front() + 64;
  const auto seen = static_cast<std::int64_t>(visible.keys.size());
  const std::int64_t links = std::min<std::int64_t>(seen, 64) + tree_depth((span + 63) / 64);
  const double sink_error = sink ? unit * (std::abs(*sink) + std::abs(scores.highest)) : 0;
  const double relative =
      2 * std::max(scores.error, sink_error) + unit * (2 * chain_units(links) + 6);
  double total = sink ? std::exp(*sink - scores.highest) : 0;
  for (const double score : scores.values) total += std::exp(score - scores.highest);
  for (std::int64_t i = 0; i < v.dim; ++i) {
    double sum = 0, magnitude = 0;
    for (std::size_t j = 0; j < visible.keys.size(); ++j) {
      const double weight = std::exp(scores.values[j] - scores.highest) / total;
      const double term = weight * v.row(b, h, visible.keys[j])[i];
      sum += term;
      magnitude += std::abs(term);
    }
    y[i] = sum;
    budget[i] = relative * magnitude;
  }
}

/// Every query over the first `length` keys.
Expected attend_all(const Heads& q, const Heads& k, const Heads& v, std::int64_t length,
                    const AttentionOptions& options, const Masks& masks) {
  const DType dtype = promote(promote(q.x->dtype, k.x->dtype), v.x->dtype);
  const auto scale = static_cast<double>(options.scale);
  length = options.kv_length.value_or(length);
  Expected y{q.x->shape.with(-1, v.dim), dtype, {}, {}};
  y.values.resize(static_cast<std::size_t>(y.shape.elements()));
  y.budget.resize(y.values.size());
  if (length == 0) return y;
  for (std::int64_t row = 0; row < q.x->shape[0] * q.heads * q.time; ++row) {
    const std::int64_t b = row / (q.heads * q.time), h = row / q.time % q.heads, t = row % q.time;
    const std::int64_t shared = h / (q.heads / k.heads);
    const double* sink = masks.sinks ? &masks.sinks->values[static_cast<std::size_t>(h)] : nullptr;
    const Visible visible = visible_to(b, h, t, q.time, length, options, masks);
    const Scores scores = scores_of(q.row(b, h, t), k, b, shared, visible, scale, sink);
    const std::size_t at = q.offset(b, h, t) / static_cast<std::size_t>(q.dim);
    const std::size_t to = at * static_cast<std::size_t>(v.dim);
    attend(scores, visible, sink, v, b, shared, y.values.data() + to, y.budget.data() + to);
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
  const double inner = (chain / 2 + 6) * unit + (weight ? unit_of(y.dtype) + unit : 0);
  const double tiny = weight && y.dtype == DType::f16 ? 0x1p-25 : 0;
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

namespace {

/// Every entry of the first axis from its own offset on.
Expected rope_by_entry(const DoubleArray& x, const RopeOptions& options) {
  Expected y{x.shape, x.dtype, {}, {}};
  RopeOptions of_entry = options;
  of_entry.offsets.reset();
  auto begin = x.values.begin();
  const std::int64_t size = x.shape.elements(1, x.shape.rank());
  for (const std::int64_t offset : *options.offsets) {
    of_entry.offset = offset;
    const Expected one =
        rope({x.shape.with(0, 1), x.dtype, std::vector<double>(begin, begin + size)}, of_entry);
    y.values.insert(y.values.end(), one.values.begin(), one.values.end());
    y.budget.insert(y.budget.end(), one.budget.begin(), one.budget.end());
    begin += size;
  }
  return y;
}

}  // namespace

Expected rope(const DoubleArray& x, const RopeOptions& options) {
  if (options.offsets && options.offsets->size() != 1) return rope_by_entry(x, options);
  const std::int64_t first = options.offsets ? options.offsets->at(0) : options.offset;
  const std::int64_t time = x.shape[options.layout == AttentionLayout::bthd ? -3 : -2];
  const Shape shape{time, options.dims / 2};
  DoubleArray cos{shape, DType::f32, {}}, sin{shape, DType::f32, {}};
  for (std::int64_t t = 0; t < time; ++t) {
    for (int i = 0; i < options.dims / 2; ++i) {
      const double position = static_cast<double>(t + first) * options.scale;
      cos.values.push_back(std::cos(position * frequency(options, i)));
      sin.values.push_back(std::sin(position * frequency(options, i)));
    }
  }
  return rope_table(x, cos, sin, {options.dims, options.traditional, 0, options.layout});
}

Expected attention(const Doubles& in, const AttentionOptions& options) {
  const Heads keys(in[1], options.layout);
  return attend_all(Heads(in[0], options.layout), keys, Heads(in[2], options.layout), keys.time,
                    options, Masks::of(in, options));
}

Expected cached_attention(const Doubles& in, const CachedAttentionOptions& options) {
  constexpr AttentionLayout stored = AttentionLayout::bhtd;
  return attend_all(Heads(in[0], options.attention.layout), Heads(in[1], stored),
                    Heads(in[2], stored), options.length, options.attention,
                    Masks::of(in, options.attention));
}

}  // namespace clmx::reference
