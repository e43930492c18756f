#include "compare_ops.hpp"

#include <algorithm>
#include <tuple>

#include "case_check.hpp"
#include "clmx/devices/error.hpp"
#include "result_digest.hpp"
#include "self_check_cases.hpp"

namespace clmx {
namespace {

bool is_quick(const std::string& name) {
  return std::ranges::find(self_check_case_names(), name) != self_check_case_names().end();
}

std::vector<const OpCase*> chosen_cases(const CompareOpsOptions& options) {
  std::vector<const OpCase*> chosen;
  for (const OpCase& each : all_cases()) {
    if (options.op && each.call.op != *options.op) continue;
    if (options.case_name && each.name != *options.case_name) continue;
    if (options.quick && !is_quick(each.name)) continue;
    if (each.traits.full && !options.full && !options.case_name) continue;
    chosen.push_back(&each);
  }
  require(!chosen.empty(), "compare", "no case is named so: op '", options.op.value_or("*"),
          "', case '", options.case_name.value_or("*"), '\'');
  std::ranges::sort(chosen, [](const OpCase* a, const OpCase* b) {
    return std::tie(a->call.op, a->name) < std::tie(b->call.op, b->name);
  });
  return chosen;
}

/// A case with its data and reference, made once for all devices.
class PreparedCase {
 public:
  PreparedCase(const OpCase& op_case, std::uint64_t seed)
      : op_case_(op_case), inputs_(op_case.inputs(seed)), wanted_(expected(op_case, inputs_)) {}

  bool fits(const Device& device) const {
    return clmx::fits(cost(op_case_, inputs_), device.info().device_class);
  }

  ComparedCase on(const Device& device) {
    ComparedCase result{op_case_.call.op, op_case_.name, {}};
    result.may_differ = op_case_.traits.subnormal;
    try {
      measure(run(op_case_, inputs_, device.default_stream()), result);
    } catch (const DeviceError&) {
      throw;
    } catch (const Error& error) {
      result.failure = error.what();
    }
    compare_bits(device, result);
    return result;
  }

 private:
  void measure(const Outputs& outputs, ComparedCase& result) const {
    const Verdict verdict = check(outputs, wanted_, op_case_.traits.exact);
    if (verdict.mismatch) {
      result.failure = verdict.mismatch->what;
      result.index = verdict.mismatch->index;
      result.got = verdict.mismatch->got;
      result.wanted = verdict.mismatch->wanted;
    }
    result.digest = digest_of(outputs);
    for (std::size_t i = 0; i < std::min(outputs.size(), wanted_.size()); ++i) {
      const bool same_form =
          outputs[i].shape() == wanted_[i].shape && outputs[i].dtype() == wanted_[i].dtype;
      if (same_form) result.error.add(outputs[i], wanted_[i], op_case_.traits.exact);
    }
  }

  void compare_bits(const Device& device, ComparedCase& result) {
    if (result.may_differ || result.digest.empty()) return;
    if (first_digest_.empty()) {
      first_digest_ = result.digest;
      first_device_ = device.info().selector;
    }
    if (result.digest != first_digest_) result.differs = first_device_;
  }

  const OpCase& op_case_;
  Inputs inputs_;
  std::vector<Expected> wanted_;
  std::string first_digest_, first_device_;
};

}  // namespace

std::vector<ComparedDevice> compare_ops(std::span<const Device> devices,
                                        const CompareOpsOptions& options) {
  const std::vector<const OpCase*> cases = chosen_cases(options);
  std::vector<ComparedDevice> results;
  for (const Device& device : devices) {
    results.push_back({device.info().id, device.info().selector, device.info().name, {}});
  }
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (options.progress) options.progress(i, cases.size(), cases[i]->name);
    PreparedCase prepared(*cases[i], options.seed);
    for (std::size_t d = 0; d < devices.size(); ++d) {
      if (prepared.fits(devices[d])) results[d].cases.push_back(prepared.on(devices[d]));
    }
  }
  return results;
}

}  // namespace clmx
