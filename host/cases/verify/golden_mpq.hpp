#pragma once

#include "golden_ops.hpp"

namespace clmx {

/// The ops of the family mpq: mpq_prepare gives weight, scales and biases of the affine form,
/// mpq_forward the product with it, in f16.
GoldenOutputs run_mpq(const GoldenCase& golden, const GoldenFamily& family, const Stream& stream);

}  // namespace clmx
