#pragma once

#include <string>
#include <vector>

#include "compare_gate.hpp"
#include "comparison_record.hpp"
#include "json_output.hpp"

namespace clmx::cli {

/// The numbers of a device, by the names it had then.
struct MeasuredDevice {
  std::string id, selector;
  Measures measures;
};
/// What was run, and the numbers of each device.
struct Measured {
  std::string of;
  std::vector<MeasuredDevice> devices;
};
/// A file of --record, or a document of --json. Throws FormatError.
Measured read_baseline(const std::string& file);
Measured measured(const ComparisonRecord& record);

/// A number that is larger than it was, or is no longer measured.
struct Worse {
  std::string selector, name;
  double before = 0, now = 0;
  bool gone = false;
};
/// Devices are matched by id, else by selector. Throws UsageError when another thing was run, or no
/// device is in both.
std::vector<Worse> got_worse(const Measured& before, const Measured& now, const std::string& file);

/// Lines on stdout.
void print_worse(const std::vector<Worse>& worse, const std::string& file);
Json described(const std::vector<Worse>& worse);
/// Refuses them.
void check_worse(const std::vector<Worse>& worse, const std::string& file, Gate& gate);

}  // namespace clmx::cli
