#include "logits_comparison.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

/// Logarithm of the sum of the exponentials.
double log_sum(std::span<const double> logits) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const double each : logits) sum += std::exp(each - largest);
  return largest + std::log(sum);
}

std::size_t best_of(std::span<const double> values) {
  return static_cast<std::size_t>(std::ranges::max_element(values) - values.begin());
}

double divergence(std::span<const double> got, std::span<const double> wanted) {
  const double of_got = log_sum(got), of_wanted = log_sum(wanted);
  double kl = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double p = std::exp(wanted[i] - of_wanted);
    if (p > 0) kl += p * ((wanted[i] - of_wanted) - (got[i] - of_got));
  }
  // Rounding of the sum may leave it below 0; NaN is no agreement.
  return std::isnan(kl) ? INFINITY : std::max(kl, 0.0);
}

}  // namespace

void LogitsComparison::add(const std::vector<std::int32_t>& tokens, std::size_t prompt,
                           const DoubleArray& got, const DoubleArray& wanted) {
  require(got.shape == wanted.shape, "compare", "logits ", got.shape, " against ", wanted.shape);
  require(got.shape.rank() == 2 && got.shape[0] == static_cast<std::int64_t>(tokens.size()),
          "compare", "logits of ", tokens.size(), " tokens have shape [tokens, vocabulary], not ",
          got.shape);
  const auto width = static_cast<std::size_t>(got.shape[-1]);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto a = std::span(got.values).subspan(i * width, width);
    const auto b = std::span(wanted.values).subspan(i * width, width);
    add_position(prompt, i, a, b);
    if (i + 1 == tokens.size()) continue;
    const auto next = static_cast<std::size_t>(tokens[i + 1]);
    nll_got += log_sum(a) - a[next];
    nll_wanted += log_sum(b) - b[next];
    ++predicted;
  }
}

void LogitsComparison::add_position(std::size_t prompt, std::size_t position,
                                    std::span<const double> got, std::span<const double> wanted) {
  const std::size_t best = best_of(got), right = best_of(wanted);
  positions.push_back({prompt, position, divergence(got, wanted), static_cast<std::int32_t>(best),
                       static_cast<std::int32_t>(right), wanted[right] - wanted[best]});
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double difference = std::abs(got[i] - wanted[i]);
    const double error = std::isnan(difference) && got[i] != wanted[i] ? INFINITY : difference;
    if (error > worst.error)
      worst = {prompt, position, static_cast<std::int64_t>(i), got[i], wanted[i], error};
  }
}

double LogitsComparison::kl_mean() const {
  double sum = 0;
  for (const ComparedPosition& each : positions) sum += each.kl;
  return positions.empty() ? 0 : sum / static_cast<double>(positions.size());
}

double LogitsComparison::kl_max() const {
  double largest = 0;
  for (const ComparedPosition& each : positions) largest = std::max(largest, each.kl);
  return largest;
}

std::size_t LogitsComparison::same_top1() const {
  return static_cast<std::size_t>(std::ranges::count_if(positions, &ComparedPosition::same));
}

double LogitsComparison::top1() const {
  return positions.empty()
             ? 1
             : static_cast<double>(same_top1()) / static_cast<double>(positions.size());
}

double LogitsComparison::perplexity_change() const {
  return predicted == 0 ? 0 : std::expm1((nll_got - nll_wanted) / static_cast<double>(predicted));
}

const ComparedPosition* LogitsComparison::first_difference() const {
  const auto found = std::ranges::find_if_not(positions, &ComparedPosition::same);
  return found == positions.end() ? nullptr : &*found;
}

}  // namespace clmx
