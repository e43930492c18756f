#include "compare_model.hpp"

#include <algorithm>

#include "case_data.hpp"
#include "clmx/devices/error.hpp"
#include "result_digest.hpp"
#include "shadow_tap.hpp"

namespace clmx {
namespace {

class Comparison {
 public:
  Comparison(ComparedModel& result, const CompareModelRun& run) : result_(result), run_(run) {}

  void begin(std::size_t prompt) {
    prompt_ = prompt;
    ops_ = 0;
  }

  void add_result(const ShadowOp& op, const DoubleArray& got) {
    const Array stored = array_of(got.values, got.dtype, got.shape);
    const std::string name =
        join("prompt ", prompt_ + 1, ": ", op.part, ": ", ++ops_, ": ", op.shape);
    result_.steps.push_back({op.op, name, digest_of({&stored, 1})});
    if (run_.on_result) run_.on_result(op.part, join(name, ": ", op.op), stored);
  }

  void add_logits(const std::vector<std::int32_t>& tokens, const DoubleArray& got,
                  const DoubleArray& wanted) {
    result_.logits.add(tokens, prompt_, got, wanted);
    for (std::int64_t i = 0; i < got.shape[0]; ++i) add_logits_step(got, i);
    if (run_.on_logits) run_.on_logits(prompt_, got, wanted);
  }

  void add_run(const ShadowTap& tap) {
    const std::vector<ShadowOp>& ops = tap.ops();
    for (std::size_t i = 0; i < ops.size(); ++i) {
      add_op(ops[i], i + 1 == ops.size() || ops[i + 1].part != ops[i].part);
    }
    for (const ChoiceFlip& flip : tap.flips()) result_.flips.push_back({prompt_, flip});
    result_.choices += tap.choices();
  }

 private:
  void add_op(const ShadowOp& op, bool is_last) {
    ComparedPart& part = part_of(op.part);
    const double worst = op.local.worst();
    if (part.worst_op.empty() || worst > part.worst) {
      part.worst_op = op.op;
      part.shape = op.shape;
      part.kernels = op.kernels;
      part.worst = worst;
    }
    if (is_last) part.accumulated = std::max(part.accumulated, op.accumulated);
    if (worst > 1 && !result_.first_wrong)
      result_.first_wrong = WrongOp{op.part, op.op, op.shape, op.kernels, prompt_, worst};
  }

  void add_logits_step(const DoubleArray& logits, std::int64_t position) {
    const auto row = logits.values.begin() + position * logits.shape[1];
    const Array stored =
        array_of({row, row + logits.shape[1]}, logits.dtype, Shape{logits.shape[1]});
    result_.steps.push_back(
        {"logits", join("prompt ", prompt_ + 1, ": position ", position), digest_of({&stored, 1})});
  }

  ComparedPart& part_of(const std::string& path) {
    const auto found = std::ranges::find(result_.parts, path, &ComparedPart::path);
    if (found != result_.parts.end()) return *found;
    return result_.parts.emplace_back(ComparedPart{path});
  }

  ComparedModel& result_;
  const CompareModelRun& run_;
  std::size_t prompt_ = 0, ops_ = 0;
};

}  // namespace

double ComparedModel::worst() const {
  double worst = 0;
  for (const ComparedPart& part : parts) worst = std::max(worst, part.worst);
  return worst;
}

ComparedModel compare_model(LanguageModel& model, const Prompts& prompts, const Device& device,
                            const CompareModelRun& run) {
  ComparedModel result;
  Comparison comparison(result, run);
  const Stream stream = device.new_stream({.profiling = true});  // it tells an op's kernels
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    require(!prompts[i].empty(), "compare", "prompt ", i + 1, " has no tokens");
    comparison.begin(i);
    ShadowTap tap({stream, [&](const ShadowOp& op, const DoubleArray& got) {
                     comparison.add_result(op, got);
                   }});
    ModelCache cache = model.new_cache(static_cast<std::int64_t>(prompts[i].size()));
    Array logits;
    {
      const TapScope scope(tap);
      logits = model.forward(prompts[i], cache, LogitRows::all, stream);
    }
    comparison.add_run(tap);
    comparison.add_logits(prompts[i], widen(logits), tap.shadow_of(logits));
    if (run.progress) run.progress(i + 1);
  }
  return result;
}

DoubleArray logits_on(LanguageModel& model, const std::vector<std::int32_t>& tokens,
                      const Device& device) {
  ModelCache cache = model.new_cache(static_cast<std::int64_t>(tokens.size()));
  return widen(model.forward(tokens, cache, LogitRows::all, device));
}

}  // namespace clmx
