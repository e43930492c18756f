#include "clmx/nn/sampler.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

constexpr const char* op = "sampler";

/// e^x for x <= 0 by additions and multiplications alone, so that every platform gets the same
/// bits: 2^n times the Taylor series of the rest, whose size is at most ln(2) / 2. The last term
/// left out is below 1e-17.
double portable_exp(double x) {
  constexpr double log2_e = 1.4426950408889634, ln2_high = 0x1.62e42fee00000p-1,
                   ln2_low = 0x1.a39ef35793c76p-33;
  constexpr double to_integer = 0x1.8p52;  // adding it leaves no place for a fraction
  constexpr std::array<double, 14> terms{1,
                                         1,
                                         1. / 2,
                                         1. / 6,
                                         1. / 24,
                                         1. / 120,
                                         1. / 720,
                                         1. / 5040,
                                         1. / 40320,
                                         1. / 362880,
                                         1. / 3628800,
                                         1. / 39916800,
                                         1. / 479001600,
                                         1. / 6227020800};
  if (x < -700) return 0;
  const double n = (x * log2_e + to_integer) - to_integer;
  const double rest = (x - n * ln2_high) - n * ln2_low;
  double sum = terms.back();
  for (std::size_t k = terms.size() - 1; k-- > 0;) sum = sum * rest + terms[k];
  const auto exponent = static_cast<std::uint64_t>(static_cast<std::int64_t>(n) + 1023);
  return sum * std::bit_cast<double>(exponent << 52);
}

/// The n-th number of a stream that the seed names, uniform in [0, 1).
/// Source: SplitMix64, https://prng.di.unimi.it/splitmix64.c.
double uniform(std::uint64_t seed, std::uint64_t n) {
  std::uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return static_cast<double>((z ^ z >> 31) >> 11) * 0x1p-53;
}

bool can_be_chosen(float logit) {
  return logit > -std::numeric_limits<float>::infinity();  // false for NaN
}

std::optional<std::int32_t> first_maximum(std::span<const float> logits) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (can_be_chosen(logits[i]) && (!best || logits[i] > logits[*best])) best = i;
  }
  return best ? std::optional(static_cast<std::int32_t>(*best)) : std::nullopt;
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options) : options_(options) {
  const auto [temperature, top_k, top_p, min_p, seed] = options;
  require(temperature >= 0 && std::isfinite(temperature), op, "temperature must be 0 or more, not ",
          temperature);
  require(top_k >= 0, op, "top_k must be 0 or more, not ", top_k);
  require(top_p > 0 && top_p <= 1, op, "top_p must be above 0 and at most 1, not ", top_p);
  require(min_p >= 0 && min_p <= 1, op, "min_p must be from 0 to 1, not ", min_p);
}

std::int32_t Sampler::next(std::span<const float> logits) {
  require(logits.size() <= std::numeric_limits<std::int32_t>::max(), op, "too many logits");
  const auto best = first_maximum(logits);
  require(best.has_value(), op, "none of the ", logits.size(), " logits is a number to choose");
  const float highest = logits[static_cast<std::size_t>(*best)];
  if (options_.temperature == 0 || std::isinf(highest)) return *best;
  collect(logits);
  if (options_.top_k > 0) keep_top_k();
  weigh(highest);
  if (options_.top_p < 1) keep_top_p();
  std::erase_if(candidates_, [&](const Candidate& c) { return c.weight < options_.min_p; });
  return draw();
}

bool Sampler::more_likely(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

void Sampler::collect(std::span<const float> logits) {
  candidates_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!can_be_chosen(logits[i])) continue;
    candidates_.push_back({logits[i], static_cast<std::int32_t>(i), 0});
  }
}

void Sampler::keep_top_k() {
  if (std::ssize(candidates_) > options_.top_k) {
    const auto end = candidates_.begin() + options_.top_k;
    std::nth_element(candidates_.begin(), end, candidates_.end(), more_likely);
    candidates_.erase(end, candidates_.end());
  }
  // Sums follow the order of the candidates, which nth_element does not define.
  std::sort(candidates_.begin(), candidates_.end(), more_likely);
}

void Sampler::weigh(double highest) {
  for (Candidate& c : candidates_) {
    c.weight = portable_exp((static_cast<double>(c.logit) - highest) / options_.temperature);
  }
}

/// A heap, because the few that are kept need no sorting of the rest.
void Sampler::keep_top_p() {
  double total = 0;
  for (const Candidate& c : candidates_) total += c.weight;
  const double enough = total * static_cast<double>(options_.top_p);
  const auto less_likely = [](const Candidate& a, const Candidate& b) { return more_likely(b, a); };
  std::make_heap(candidates_.begin(), candidates_.end(), less_likely);
  auto end = candidates_.end();
  double sum = 0;
  while (end != candidates_.begin() && (sum == 0 || sum < enough)) {
    std::pop_heap(candidates_.begin(), end, less_likely);
    sum += (--end)->weight;
  }
  candidates_.erase(candidates_.begin(), end);
  std::reverse(candidates_.begin(), candidates_.end());
}

std::int32_t Sampler::draw() {
  double total = 0;
  for (const Candidate& c : candidates_) total += c.weight;
  const double mark = uniform(options_.seed, draws_++) * total;
  double sum = 0;
  for (const Candidate& c : candidates_) {
    sum += c.weight;
    if (mark < sum) return c.id;
  }
  return candidates_.back().id;
}

}  // namespace clmx
