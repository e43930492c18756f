#pragma once

#include <string>
#include <vector>

#include "op_case.hpp"

namespace clmx {

/// A row of argmax or topk that chose otherwise than float64 would have.
struct ChoiceFlip {
  std::string part = {}, op = {};
  std::int64_t row = 0;  ///< of the op's input
  std::vector<std::int64_t> got = {},
                            wanted = {};  ///< ids that only the one and only the other has
  double margin = 0;                      ///< the best float64 value wanted over the least got
};

/// Rows of the last axis.
std::int64_t rows_in(const DoubleArray& x);
/// The rows of x in which other ids were chosen, in any order; got and wanted: as many ids for each
/// row.
std::vector<ChoiceFlip> flips_between(const DoubleArray& x, const std::vector<double>& got,
                                      const std::vector<double>& wanted);
/// The elements of each row at the ids chosen there.
DoubleArray taken(const DoubleArray& rows, const std::vector<double>& ids, const Shape& shape);

}  // namespace clmx
