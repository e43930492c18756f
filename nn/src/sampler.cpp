#include "clmx/nn/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

constexpr const char* op = "sampler";

/// e^x for x <= 0 by additions, multiplications and fma alone, so that every platform gets the
/// same bits: 2^n times the Taylor series of the rest, whose size is at most ln(2) / 2. The last
/// term left out is below 1e-17.
double portable_exp(double x) {
  constexpr double log2_e = 1.4426950408889634, ln2_high = 0x1.62e42fefap-1,
                   ln2_low = 0x1.cf79abc9e3b39p-34;
  if (x < -700) return 0;
  const double n = std::floor(std::fma(x, log2_e, 0.5));
  const double rest = std::fma(-n, ln2_low, std::fma(-n, ln2_high, x));
  double sum = 1;
  for (int k = 13; k >= 1; --k) sum = std::fma(sum, rest / k, 1);
  return std::ldexp(sum, static_cast<int>(n));
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
  keep_most_likely(logits);
  weigh();
  return draw();
}

/// Candidates in order, at most top_k of them.
void Sampler::keep_most_likely(std::span<const float> logits) {
  candidates_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (can_be_chosen(logits[i])) candidates_.push_back({logits[i], static_cast<std::int32_t>(i)});
  }
  const auto more_likely = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
  };
  const auto wanted = static_cast<std::size_t>(options_.top_k);
  if (wanted > 0 && wanted < candidates_.size()) {
    const auto end = candidates_.begin() + options_.top_k;
    std::nth_element(candidates_.begin(), end, candidates_.end(), more_likely);
    candidates_.erase(end, candidates_.end());
  }
  std::sort(candidates_.begin(), candidates_.end(), more_likely);
}

/// Weights e^((logit - highest) / temperature) of the candidates that top_p and min_p leave.
void Sampler::weigh() {
  weights_.clear();
  const double highest = candidates_.front().logit;
  double total = 0;
  for (const Candidate& candidate : candidates_) {
    const double weight = portable_exp((candidate.logit - highest) / options_.temperature);
    weights_.push_back(weight);
    total += weight;
  }
  const double enough = options_.top_p < 1 ? total * options_.top_p : total;
  std::size_t kept = 0;
  for (double sum = 0; kept < weights_.size() && (kept == 0 || sum < enough); ++kept) {
    if (weights_[kept] < options_.min_p) break;
    sum += weights_[kept];
  }
  weights_.resize(kept);
}

std::int32_t Sampler::draw() {
  double total = 0;
  for (const double weight : weights_) total += weight;
  const double mark = uniform(options_.seed, draws_++) * total;
  double sum = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    sum += weights_[i];
    if (mark < sum) return candidates_[i].id;
  }
  return candidates_[weights_.size() - 1].id;
}

}  // namespace clmx
