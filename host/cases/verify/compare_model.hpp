#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "clmx/nn/language_model.hpp"
#include "error_measure.hpp"
#include "logits_comparison.hpp"
#include "shadow_choice.hpp"

namespace clmx {

/// An op whose error is above its budget, on the inputs that it had.
struct WrongOp {
  std::string part, op, shape;
  std::string kernels;  ///< that computed it
  std::size_t prompt = 0;
  double worst = 0;
};

/// A module of the model, over all prompts.
struct ComparedPart {
  std::string path;
  std::string worst_op = {}, shape = {}, kernels = {};  ///< of the largest local error
  double worst = 0;        ///< local error of its ops, as a share of the budget
  double accumulated = 0;  ///< of its last result: |result - shadow| / |shadow|, the largest
};

/// A result of the run by its digest, in the order of computation.
struct ModelStep {
  std::string op, name;  ///< "rms_norm", "prompt 1: model.layers.0.self_attn: 2: [5, 576]"
  std::string digest;    ///< XXH3-128
};

/// A choice of experts (topk, argmax inside of the model) that float64 would have made otherwise.
struct ExpertFlip {
  std::size_t prompt = 0;
  ChoiceFlip choice;
};

/// A model on a device beside its float64 run, over some prompts.
struct ComparedModel {
  LogitsComparison logits;          ///< device against float64
  std::vector<ComparedPart> parts;  ///< in the order of computation
  std::vector<ModelStep> steps;
  std::vector<ExpertFlip> flips;
  std::int64_t choices = 0;  ///< rows that flips could have been in
  std::optional<WrongOp> first_wrong = {};

  double worst() const;  ///< largest local error of any op
};

using Prompts = std::vector<std::vector<std::int32_t>>;

struct CompareModelRun {
  /// Called after each prompt with how many are done.
  std::function<void(std::size_t done)> progress = {};
  /// Called with the logits of each prompt, [tokens, vocabulary]: the device's and the float64
  /// ones.
  std::function<void(std::size_t prompt, const DoubleArray& got, const DoubleArray& wanted)>
      on_logits = {};
  /// Called with each result of the parts, by the name of its step.
  std::function<void(const std::string& part, const std::string& step, const Array& result)>
      on_result = {};
};

/// Runs each prompt through the model with its float64 shadow. Throws ArgumentError for an op
/// without a reference or an empty prompt.
ComparedModel compare_model(LanguageModel& model, const Prompts& prompts, const Device& device,
                            const CompareModelRun& run = {});

/// The logits at all positions of a prompt, [tokens, vocabulary], without a shadow.
DoubleArray logits_on(LanguageModel& model, const std::vector<std::int32_t>& tokens,
                      const Device& device);

}  // namespace clmx
