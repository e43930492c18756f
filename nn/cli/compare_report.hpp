#pragma once

#include <span>
#include <string>
#include <vector>

#include "compare_ops.hpp"
#include "json_output.hpp"
#include "verify_golden.hpp"

namespace clmx::cli {

/// The cases of one op on one device.
struct ComparedOp {
  std::string name;
  std::size_t cases = 0, wrong = 0, other_bits = 0;
  ErrorMeasure error;
};

std::vector<std::string> selectors_of(const std::vector<ComparedDevice>& devices);
/// By name.
std::vector<ComparedOp> by_op(const ComparedDevice& device);
/// The first case in the order of ops that is wrong, or null.
const ComparedCase* first_wrong(const ComparedDevice& device);
/// The first whose bits are others than those of an earlier device, or null.
const ComparedCase* first_difference(const ComparedDevice& device);
/// The command that runs exactly this case again on this device.
std::string repeat_command(const ComparedCase& one, const ComparedDevice& device,
                           const CompareOpsOptions& options);

/// A table on stdout: a row for each op, the worst share of the budget on each device, what the
/// devices have in common; then what is wrong on each.
void print_comparison(const std::vector<ComparedDevice>& devices, const CompareOpsOptions& options);
/// The entries of "devices" (docs/comparing.md).
Json described(const std::vector<ComparedDevice>& devices, const CompareOpsOptions& options);
/// For to_junit: each op is a family.
std::vector<DeviceResult> as_verified(const std::vector<ComparedDevice>& devices,
                                      const CompareOpsOptions& options);

}  // namespace clmx::cli
