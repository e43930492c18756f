#pragma once

#include <array>
#include <string_view>

#include "clmx/host/self_check.hpp"

namespace clmx {

/// The cases of a device's self-check: the fixed list below, each against its float64 reference and
/// budget, and the canonical hashes.
const std::vector<CheckCase>& self_check_cases();

/// Registered op cases: every op, mode, number of bits and dtype, ragged shapes; small enough for
/// emulated devices.
std::span<const std::string_view> self_check_case_names();

}  // namespace clmx
