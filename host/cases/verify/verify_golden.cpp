#include "verify_golden.hpp"

#include <algorithm>

#include "clmx/devices/error.hpp"
#include "golden_check.hpp"
#include "golden_manifest.hpp"
#include "golden_ops.hpp"
#include "golden_validation.hpp"

namespace clmx {
namespace {

CaseResult run_case(const GoldenFamily& family, const GoldenCase& golden, const Device& device) {
  CaseResult result{.name = golden.name};
  if (!is_covered(golden, family)) return result;
  try {
    const GoldenOutputs got = run_golden(golden, family, device.default_stream());
    return check_golden(golden, family, got);
  } catch (const FormatError&) {
    throw;
  } catch (const Error& error) {
    result.outcome = Outcome::failed;
    result.what = error.what();
  }
  return result;
}

FamilyResult run_family(const GoldenFamily& family, const Device& device) {
  FamilyResult result{family.name(), {}};
  for (const GoldenCase& golden : family.cases())
    result.cases.push_back(run_case(family, golden, device));
  return result;
}

FamilyResult run_validation(const GoldenManifest& manifest, const Device& device) {
  FamilyResult result{GoldenManifest::validation, {}};
  for (const GoldenEntry& entry : manifest.entries())
    result.cases.push_back(validate(entry, device.default_stream()));
  return result;
}

/// Its layers need widths that clmx does not compute with yet.
FamilyResult run_checkpoint() {
  return {GoldenManifest::checkpoint, {CaseResult{.name = "logits"}}};
}

FamilyResult run_named(const GoldenManifest& manifest, const std::string& name,
                       const Device& device) {
  if (name == GoldenManifest::validation) return run_validation(manifest, device);
  if (name == GoldenManifest::checkpoint) return run_checkpoint();
  return run_family(manifest.family(name), device);
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
  std::vector<std::string> names = manifest.names();
  if (options.family) {
    require(std::find(names.begin(), names.end(), *options.family) != names.end(), "verify",
            "there is no family '", *options.family, "' in ", directory.string());
    names = {*options.family};
  }
  std::vector<DeviceResult> results;
  for (const Device& device : devices) {
    DeviceResult result{device.info().id, device.info().selector, {}};
    for (const std::string& name : names) {
      if (options.progress) options.progress(device, name);
      result.families.push_back(run_named(manifest, name, device));
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace clmx
