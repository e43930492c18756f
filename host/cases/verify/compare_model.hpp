#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "clmx/nn/language_model.hpp"
#include "error_measure.hpp"

namespace clmx {

/// An op whose error is above its budget, on the inputs that it had.
struct WrongOp {
  std::string part, op, shape;
  double worst = 0;
};

/// A module of the model, over all prompts.
struct ComparedPart {
  std::string path;
  double worst = 0;        ///< local error of its ops, as a share of the budget
  double accumulated = 0;  ///< of its last result: |result - shadow| / |shadow|, the largest
};

/// The first position whose most likely token is another than in float64.
struct TokenDifference {
  std::size_t prompt = 0, position = 0;
  std::int32_t got = 0, wanted = 0;
  double margin = 0;  ///< of the wanted token's float64 logit over the other's
};

/// A model on a device beside its float64 run, over some prompts.
struct ComparedModel {
  std::size_t positions = 0, same_top1 = 0;
  double kl_sum = 0, kl_max = 0;       ///< KL(float64 || device), in nats
  double nll_got = 0, nll_wanted = 0;  ///< sums over the prompts' own tokens, in nats
  std::size_t predicted = 0;           ///< of how many tokens
  std::vector<ComparedPart> parts;     ///< in the order of computation
  std::optional<WrongOp> first_wrong = {};
  std::optional<TokenDifference> first_difference = {};

  double kl_mean() const { return positions == 0 ? 0 : kl_sum / static_cast<double>(positions); }
  /// Perplexity on the device over that in float64, less 1.
  double perplexity_change() const;
};

/// Runs each prompt through the model with its float64 shadow. progress: called after each with how
/// many are done. Throws ArgumentError for an op without a reference or an empty prompt.
ComparedModel compare_model(LanguageModel& model,
                            const std::vector<std::vector<std::int32_t>>& prompts, StreamOrDevice s,
                            const std::function<void(std::size_t)>& progress = {});

}  // namespace clmx
