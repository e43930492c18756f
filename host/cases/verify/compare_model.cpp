#include "compare_model.hpp"

#include <algorithm>
#include <cmath>

#include "clmx/devices/error.hpp"
#include "shadow_tap.hpp"

namespace clmx {
namespace {

/// Logarithms of the probabilities.
std::vector<double> log_softmax(std::span<const double> logits) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const double each : logits) sum += std::exp(each - largest);
  const double offset = largest + std::log(sum);
  std::vector<double> result(logits.begin(), logits.end());
  for (double& each : result) each -= offset;
  return result;
}

std::size_t best_of(std::span<const double> values) {
  return static_cast<std::size_t>(std::ranges::max_element(values) - values.begin());
}

class Comparison {
 public:
  explicit Comparison(ComparedModel& result) : result_(result) {}

  void add_logits(const std::vector<std::int32_t>& tokens, std::size_t prompt,
                  const DoubleArray& got, const DoubleArray& wanted) {
    const auto width = static_cast<std::size_t>(got.shape[-1]);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto a = std::span(got.values).subspan(i * width, width);
      const auto b = std::span(wanted.values).subspan(i * width, width);
      const std::vector<double> log_a = log_softmax(a), log_b = log_softmax(b);
      add_position(log_a, log_b);
      compare_best(a, b, prompt, i);
      if (i + 1 == tokens.size()) continue;
      const auto next = static_cast<std::size_t>(tokens[i + 1]);
      result_.nll_got -= log_a[next];
      result_.nll_wanted -= log_b[next];
      ++result_.predicted;
    }
  }

  void add_ops(const std::vector<ShadowOp>& ops) {
    for (const ShadowOp& op : ops) {
      ComparedPart& part = part_of(op.part);
      part.worst = std::max(part.worst, op.local.worst());
      const bool is_last = &op == &ops.back() || (&op)[1].part != op.part;
      if (is_last) part.accumulated = std::max(part.accumulated, op.accumulated);
      if (op.local.worst() > 1 && !result_.first_wrong)
        result_.first_wrong = WrongOp{op.part, op.op, op.shape, op.local.worst()};
    }
  }

 private:
  void add_position(const std::vector<double>& log_a, const std::vector<double>& log_b) {
    double kl = 0;
    for (std::size_t i = 0; i < log_a.size(); ++i) kl += std::exp(log_b[i]) * (log_b[i] - log_a[i]);
    ++result_.positions;
    result_.kl_sum += kl;
    result_.kl_max = std::max(result_.kl_max, kl);
  }

  void compare_best(std::span<const double> a, std::span<const double> b, std::size_t prompt,
                    std::size_t position) {
    const std::size_t got = best_of(a), wanted = best_of(b);
    if (got == wanted) {
      ++result_.same_top1;
    } else if (!result_.first_difference) {
      result_.first_difference =
          TokenDifference{prompt, position, static_cast<std::int32_t>(got),
                          static_cast<std::int32_t>(wanted), b[wanted] - b[got]};
    }
  }

  ComparedPart& part_of(const std::string& path) {
    const auto found = std::ranges::find(result_.parts, path, &ComparedPart::path);
    if (found != result_.parts.end()) return *found;
    return result_.parts.emplace_back(ComparedPart{path});
  }

  ComparedModel& result_;
};

}  // namespace

double ComparedModel::perplexity_change() const {
  return predicted == 0 ? 0 : std::expm1((nll_got - nll_wanted) / static_cast<double>(predicted));
}

ComparedModel compare_model(LanguageModel& model,
                            const std::vector<std::vector<std::int32_t>>& prompts, StreamOrDevice s,
                            const std::function<void(std::size_t)>& progress) {
  ComparedModel result;
  Comparison comparison(result);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    ShadowTap tap;
    ModelCache cache = model.new_cache(static_cast<std::int64_t>(prompts[i].size()));
    Array logits;
    {
      const TapScope scope(tap);
      logits = model.forward(prompts[i], cache, LogitRows::all, s);
    }
    comparison.add_ops(tap.ops());
    comparison.add_logits(prompts[i], i, widen(logits), tap.shadow_of(logits));
    if (progress) progress(i + 1);
  }
  return result;
}

}  // namespace clmx
