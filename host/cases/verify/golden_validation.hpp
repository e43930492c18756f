#pragma once

#include "golden_manifest.hpp"
#include "verify_golden.hpp"

namespace clmx {

/// Calls the entry's op. An entry to be refused needs an ArgumentError (or inputs of a dtype that
/// no array has); one to be accepted the listed shapes and dtypes. Ops, parameters and optional
/// inputs that clmx does not have are not covered, except when a refusal is wanted and given.
CaseResult validate(const GoldenEntry& entry, const Stream& stream);

}  // namespace clmx
