#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compare_ops.hpp"

namespace clmx {

/// Digests of the cases of one device, by op and case: what says whether two machines that never
/// meet agree to the bit.
struct RecordedDevice {
  std::string id, selector, name, platform, driver;
  std::map<std::string, std::map<std::string, std::string>> ops;
};

struct ComparisonRecord {
  std::string version;     ///< of clmx
  std::uint64_t seed = 0;  ///< of the data
  std::vector<RecordedDevice> devices;
};

/// Cases that devices may compute otherwise (subnormal numbers) and those that failed without a
/// result are left out.
ComparisonRecord record_of(std::span<const Device> devices,
                           const std::vector<ComparedDevice>& results, const std::string& version,
                           std::uint64_t seed);
/// As JSON: {"schema": 1, "record": "ops", "clmx", "seed", "devices": [{id, selector, name,
/// platform, driver, "ops": {op: {case: digest}}}]}.
std::string to_json(const ComparisonRecord& record);
/// The inverse. file: for messages. Throws FormatError for anything else.
ComparisonRecord parse_record(std::string_view text, const std::string& file);

/// What two recorded devices have in common.
struct RecordAgreement {
  std::size_t common = 0, different = 0;  ///< cases
  std::string op, name;                   ///< of the first that differs
};
RecordAgreement compare_records(const RecordedDevice& a, const RecordedDevice& b);

}  // namespace clmx
