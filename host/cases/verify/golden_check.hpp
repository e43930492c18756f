#pragma once

#include "golden_ops.hpp"
#include "verify_golden.hpp"

namespace clmx {

/// The outputs of a case against what it wants, by the check it names:
/// bits, bits_nan: equal bits, any NaN for NaN.
/// close: |y - ref| <= (1 or 2) u |ref| + (terms + 8) 2^-24 mag + s, with u = 2^-24, 2^-11, 2^-8
/// and s = 0, 2^-25, 0 for f32, f16, bf16. rel: |y - ref| <= tol max(1, |ref|).
CaseResult check_golden(const GoldenCase& golden, const GoldenFamily& family,
                        const GoldenOutputs& got);

}  // namespace clmx
