#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "op_case.hpp"

namespace clmx {

/// The first element that is wrong.
struct Mismatch {
  std::string what;  ///< of which output, and how it is wrong
  std::int64_t index = 0;
  double got = 0, wanted = 0;
};

/// A result against its reference.
struct Verdict {
  bool bit_equal = true;  ///< every element is the reference rounded to the dtype
  double worst = 0;       ///< largest error in units of what is allowed; 1 is the limit
  std::optional<Mismatch> mismatch;
};

/// Half a unit in the last place of a result that is rounded once to dtype, with half of the
/// smallest subnormal number: u |value| + s. 0 for integers.
double rounding_error(DType dtype, double value);
/// The value as stored in dtype: rounded to f32 and then to it, as kernels do.
double rounded(DType dtype, double value);

/// |got - value| of element i as a share of what is allowed; where bits count, 0 or infinite.
double error_share(double got, const Expected& wanted, std::size_t i, bool exact = false);

/// Element by element: bits where the reference has no budget or `exact` asks for them (any NaN
/// is NaN's equal), else |got - value| <= budget + rounding_error. Shapes and dtypes must agree.
Verdict check(const Array& got, const Expected& wanted, bool exact = false);
Verdict check(const Outputs& got, const std::vector<Expected>& wanted, bool exact = false);

/// Results as what another device has to give, bit for bit.
std::vector<Expected> as_expected(const Outputs& outputs);

}  // namespace clmx
