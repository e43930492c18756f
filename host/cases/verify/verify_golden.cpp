#include "verify_golden.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "clmx/devices/error.hpp"
#include "golden_check.hpp"
#include "golden_checkpoint.hpp"
#include "golden_manifest.hpp"
#include "golden_ops.hpp"
#include "golden_validation.hpp"

namespace clmx {
namespace {

template <class Case>
void add_arguments(CaseResult& result, const Case& one) {
  nlohmann::ordered_json json{{"op", one.op}, {"inputs", one.inputs}};
  json["args"] = nlohmann::ordered_json::parse(one.args.json());
  result.arguments = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

CaseResult run_case(const GoldenFamily& family, const GoldenCase& golden, const Device& device) {
  CaseResult result{.name = golden.name};
  try {
    if (!is_covered(golden, family)) return result;
    const GoldenOutputs got = run_golden(golden, family, device.default_stream());
    result = check_golden(golden, family, got);
  } catch (const FormatError&) {
    throw;
  } catch (const Error& error) {
    result.outcome = Outcome::failed;
    result.what = error.what();
  }
  if (result.outcome == Outcome::failed) add_arguments(result, golden);
  return result;
}

/// The cases that are asked for on one device.
class Run {
 public:
  Run(const GoldenManifest& manifest, const Device& device, const VerifyOptions& options)
      : manifest_(manifest), device_(device), options_(options) {}

  FamilyResult family(const std::string& name) const {
    if (name == GoldenManifest::validation) return validation();
    if (name == GoldenManifest::checkpoint) return checkpoint();
    const GoldenFamily& family = manifest_.family(name);
    FamilyResult result{name, {}};
    for (const GoldenCase& golden : family.cases()) {
      if (wanted(golden.name)) result.cases.push_back(run_case(family, golden, device_));
    }
    return result;
  }

 private:
  bool wanted(const std::string& name) const {
    return !options_.case_name || *options_.case_name == name;
  }

  FamilyResult validation() const {
    FamilyResult result{GoldenManifest::validation, {}};
    for (const GoldenEntry& entry : manifest_.entries()) {
      if (!wanted(entry.name)) continue;
      CaseResult one = validate(entry, device_.default_stream());
      if (one.outcome == Outcome::failed) add_arguments(one, entry);
      result.cases.push_back(std::move(one));
    }
    return result;
  }

  FamilyResult checkpoint() const {
    FamilyResult result{GoldenManifest::checkpoint, {}};
    if (wanted("logits"))
      result.cases.push_back(run_checkpoint(*manifest_.small_model(), device_.default_stream()));
    return result;
  }

  const GoldenManifest& manifest_;
  const Device& device_;
  const VerifyOptions& options_;
};

std::vector<std::string> asked_families(const GoldenManifest& manifest,
                                        const VerifyOptions& options) {
  std::vector<std::string> names = manifest.names();
  if (!options.family) return names;
  require(std::find(names.begin(), names.end(), *options.family) != names.end(), "verify",
          "there is no family '", *options.family, "'");
  return {*options.family};
}

bool is_empty(const DeviceResult& result) {
  return std::all_of(result.families.begin(), result.families.end(),
                     [](const FamilyResult& family) { return family.cases.empty(); });
}

}  // namespace

int FamilyResult::count(Outcome outcome) const {
  return static_cast<int>(std::count_if(
      cases.begin(), cases.end(), [&](const CaseResult& one) { return one.outcome == outcome; }));
}

double FamilyResult::worst() const {
  double worst = 0;
  for (const CaseResult& one : cases) worst = std::max(worst, one.worst);
  return worst;
}

const CaseResult* FamilyResult::first_failure() const {
  const auto found = std::find_if(cases.begin(), cases.end(), [](const CaseResult& one) {
    return one.outcome == Outcome::failed;
  });
  return found == cases.end() ? nullptr : &*found;
}

int DeviceResult::failed() const {
  int failed = 0;
  for (const FamilyResult& family : families) failed += family.count(Outcome::failed);
  return failed;
}

std::vector<DeviceResult> verify_golden(const std::filesystem::path& directory,
                                        std::span<const Device> devices,
                                        const VerifyOptions& options) {
  const GoldenManifest manifest(directory);
  const std::vector<std::string> names = asked_families(manifest, options);
  std::vector<DeviceResult> results;
  for (const Device& device : devices) {
    DeviceResult result{device.info().id, device.info().selector, {}};
    const Run run(manifest, device, options);
    for (const std::string& name : names) {
      if (options.progress) options.progress(device, name);
      FamilyResult family = run.family(name);
      if (!options.case_name || !family.cases.empty()) result.families.push_back(std::move(family));
    }
    require(!options.case_name || !is_empty(result), "verify", "there is no case '",
            options.case_name.value_or(""), "'");
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace clmx
