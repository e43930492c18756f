#pragma once

#include <cstdint>
#include <vector>

#include "clmx/host/shape.hpp"

namespace clmx {

/// How two operands are walked for a broadcast result: rows of `inner` results, in which an operand
/// steps by 1 or, where it has one element for the row, by 0.
struct BroadcastPlan {
  struct Axis {
    std::int64_t size, a_stride, b_stride;
  };
  std::int64_t inner = 1, a_step = 0, b_step = 0;
  std::vector<Axis> outer;  ///< the innermost first; neighbours that step alike are one
};
/// a and b must broadcast to `result`, which is not empty.
BroadcastPlan plan_broadcast(const Shape& a, const Shape& b, const Shape& result);

}  // namespace clmx
