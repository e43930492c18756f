#pragma once

#include <string>
#include <vector>

#include "compare_ops.hpp"
#include "compare_page.hpp"

namespace clmx::cli {

/// One page with everything in it, no network: the worst error of each op on each device on a
/// logarithmic axis with the budget's line, a heat map of ops and devices, the distances in ulps,
/// the worst cases with the command that repeats each, and how each device computes. Light and dark
/// as the reader's system says; readable on a phone.
std::string to_html(const std::vector<ComparedDevice>& devices, const CompareOpsOptions& options,
                    const NumericsOfDevices& numerics);

}  // namespace clmx::cli
