#include <algorithm>
#include <cmath>

#include "clmx/devices/error.hpp"
#include "comparison_record.hpp"

namespace clmx {

Measures measures_of(const ComparedDevice& device) {
  std::map<std::string, ErrorMeasure> by_op;
  Measures measures;
  for (const ComparedCase& one : device.cases) {
    by_op[one.op].add(one.error);
    measures[one.op + ": wrong cases"] += one.failure.empty() ? 0 : 1;
  }
  for (const auto& [op, error] : by_op) {
    measures[op + ": worst of budget"] = error.worst();
    measures[op + ": mean of budget"] = error.mean();
    measures[op + ": nmse"] = error.nmse();
  }
  return measures;
}

Measures measures_of(const ComparedModel& model) {
  Measures measures{{"kl_mean", model.logits.kl_mean()},
                    {"kl_max", model.logits.kl_max()},
                    {"other top-1", 1 - model.logits.top1()},
                    {"perplexity change", std::abs(model.logits.perplexity_change())},
                    {"expert flips", static_cast<double>(model.flips.size())}};
  for (const ComparedPart& part : model.parts) {
    measures[part.path + ": worst of budget"] = part.worst;
    measures[part.path + ": accumulated"] = part.accumulated;
  }
  return measures;
}

}  // namespace clmx
