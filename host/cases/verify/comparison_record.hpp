#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compare_model.hpp"
#include "compare_ops.hpp"

namespace clmx {

/// Numbers of a device by what they are: "rms_norm: worst of budget", "kl_max". The larger the
/// worse.
using Measures = std::map<std::string, double>;

/// One result by its digest.
struct RecordedResult {
  std::string op, name, digest;
};

/// What one device gave: what says whether two machines that never meet agree to the bit.
struct RecordedDevice {
  std::string id, selector, name, platform, driver;
  std::vector<RecordedResult> results;  ///< cases by op and name, or a model's in order
  Measures measures;
};

enum class RecordKind { ops, model };
struct ComparisonRecord {
  RecordKind kind = RecordKind::ops;
  std::string version;     ///< of clmx
  std::uint64_t seed = 0;  ///< of the data of ops
  /// What was run: records whose `of` differ were made of other data, save that of ops only the
  /// seed counts.
  std::string of;
  std::vector<RecordedDevice> devices;
};

/// Numbers for a later run to be held against.
Measures measures_of(const ComparedDevice& device);
Measures measures_of(const ComparedModel& model);

/// A device with its results. Of ops, cases that devices may compute otherwise (subnormal numbers)
/// and those that failed without a result are left out; of a model, the digest of the logits of
/// each position is part of it.
RecordedDevice recorded(const Device& device, const ComparedDevice& result);
RecordedDevice recorded(const Device& device, const ComparedModel& result);

/// As JSON: {"schema": 1, "record": "ops" or "model", "clmx", "seed", "of", "devices": [{id,
/// selector, name, platform, driver, "measures": {name: number}, and of ops "ops": {op: {case:
/// digest}}, of a model "steps": [[op, name, digest]]}]}.
std::string to_json(const ComparisonRecord& record);
/// The inverse. file: for messages. Throws FormatError for anything else.
ComparisonRecord parse_record(std::string_view text, const std::string& file);

/// What two recorded devices have in common.
struct RecordAgreement {
  std::size_t common = 0, different = 0;  ///< results
  std::string op, name;                   ///< of the first that differs, in the order of a
};
RecordAgreement compare_records(const RecordedDevice& a, const RecordedDevice& b);

}  // namespace clmx
