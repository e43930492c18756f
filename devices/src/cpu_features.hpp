#pragma once

#include <string>

namespace clmx {

/// What this processor can do, as text: a driver's binary for a CPU device depends on it. The same
/// on every core and in every run.
std::string cpu_features();

}  // namespace clmx
