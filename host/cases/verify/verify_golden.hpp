#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "clmx/devices/device.hpp"

namespace clmx {

/// What became of one golden case.
enum class Outcome {
  bit_equal,    ///< the golden bits
  within,       ///< other bits, inside the tolerance
  refused,      ///< refused, as wanted
  accepted,     ///< accepted with the wanted shapes and dtypes, as wanted
  not_covered,  ///< an op or parameters that clmx does not have
  failed
};

/// One case on one device. The last three say where it failed.
struct CaseResult {
  std::string name;
  Outcome outcome = Outcome::not_covered;
  std::string what = {};
  double worst = 0;  ///< largest error in units of the tolerance
  std::int64_t index = 0;
  double got = 0, wanted = 0;
  std::string arguments = {};  ///< of a failed one: op, args and inputs as a JSON object
};

struct FamilyResult {
  std::string name;
  std::vector<CaseResult> cases;

  int count(Outcome outcome) const;
  double worst() const;
  const CaseResult* first_failure() const;
};

struct DeviceResult {
  std::string id, selector;
  std::vector<FamilyResult> families;

  int failed() const;
};

struct VerifyOptions {
  /// Only the family of this name.
  std::optional<std::string> family = {};
  /// Only cases of this name.
  std::optional<std::string> case_name = {};
  /// Called before each family, for progress.
  std::function<void(const Device&, const std::string& family)> progress = {};
};

/// Runs the golden cases of a directory on each device. The directory holds manifest.json and one
/// safetensors file per family (see golden_manifest.hpp). The entries of `errors` and `accepted`
/// are the family "validation", the small model is "checkpoint".
///
/// Throws FormatError when the manifest or a file that is needed cannot be read, ArgumentError when
/// there is no family or no case of that name. A case that goes wrong is a result, not an
/// exception.
std::vector<DeviceResult> verify_golden(const std::filesystem::path& directory,
                                        std::span<const Device> devices,
                                        const VerifyOptions& options = {});

/// JUnit's XML: a suite per device and family; cases that are not covered are skipped ones.
std::string to_junit(std::span<const DeviceResult> devices);

}  // namespace clmx
