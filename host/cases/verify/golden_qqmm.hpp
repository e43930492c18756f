#pragma once

#include "golden_check.hpp"

namespace clmx {

/// A product with quantized activations, for which the golden data holds no reference: the float64
/// sum over the quantized and dequantized x and the exact weights. Formats.
struct QqmmReference {
  std::vector<double> ref, magnitude;  ///< [rows of x, rows of w]
};
QqmmReference qqmm_reference(const GoldenCase& golden, const GoldenFamily& family);

}  // namespace clmx
