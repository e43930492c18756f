#pragma once

#include <string>

#include "comparison_record.hpp"
#include "json_output.hpp"

namespace clmx::cli {

/// A file of `clmx compare --record`. Throws FormatError.
ComparisonRecord read_record(const std::string& file);

/// A record and the name it has in reports.
struct NamedRecord {
  std::string name;
  ComparisonRecord record;
};

/// How every device of one record agrees with every device of another.
struct Agreement {
  std::string of, with;  ///< "a.json pocl:0"
  RecordAgreement result;
};
/// Throws UsageError when the records are of different things or data, or have no result in common.
std::vector<Agreement> agreements(const NamedRecord& a, const NamedRecord& b);
bool all_agree(const std::vector<Agreement>& agreements);
/// A line for each on stdout.
void print_agreements(const std::vector<Agreement>& agreements);
Json described(const std::vector<Agreement>& agreements);

}  // namespace clmx::cli
