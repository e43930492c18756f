#pragma once

#include <string>

#include "compare_models.hpp"

namespace clmx::cli {

/// One page with everything in it, no network: each device against float64, the error over layers
/// and of each part on logarithmic axes, KL of each token, modes and other logits, flips, the worst
/// parts with the command that repeats each, and how each device computes.
std::string to_html(const ModelComparison& all);

}  // namespace clmx::cli
