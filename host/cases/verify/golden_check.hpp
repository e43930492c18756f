#pragma once

#include "case_check.hpp"
#include "golden_ops.hpp"
#include "verify_golden.hpp"

namespace clmx {

/// Values in float64 and the absolute error that each may have.
struct GoldenReference {
  Shape shape;
  DType dtype = DType::f32;
  std::vector<double> values, allowed;
};
/// Element by element; another shape or dtype, or NaN, is a mismatch.
Verdict check_against(const GoldenReference& reference, const Array& got);
/// Adds what was found in one output of a case to its result.
void take_verdict(CaseResult& result, const Verdict& verdict, const std::string& output);

/// The outputs of a case against what it wants, by the check it names:
/// bits, bits_nan: equal bits, any NaN for NaN.
/// close: |y - ref| <= (1 or 2) u |ref| + (terms + 8) 2^-24 mag + s, with u = 2^-24, 2^-11, 2^-8
/// and s = 0, 2^-25, 0 for f32, f16, bf16. rel: |y - ref| <= tol max(1, |ref|).
/// info, of a qqmm: close to qqmm_reference.
CaseResult check_golden(const GoldenCase& golden, const GoldenFamily& family,
                        const GoldenOutputs& got);

}  // namespace clmx
