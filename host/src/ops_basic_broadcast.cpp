#include "ops_basic_broadcast.hpp"

namespace clmx {
namespace {

/// Strides of an operand along the axes of the result, the last axis first; 0 where it repeats.
std::vector<std::int64_t> strides_of(const Shape& shape, int rank) {
  std::vector<std::int64_t> strides;
  std::int64_t stride = 1;
  for (int back = 1; back <= rank; back++) {
    const std::int64_t size = back <= shape.rank() ? shape[-back] : 1;
    strides.push_back(size == 1 ? 0 : stride);
    stride *= size;
  }
  return strides;
}

}  // namespace

BroadcastPlan plan_broadcast(const Shape& a, const Shape& b, const Shape& result) {
  const int rank = result.rank();
  const auto a_strides = strides_of(a, rank), b_strides = strides_of(b, rank);
  std::vector<BroadcastPlan::Axis> axes;
  for (int back = 0; back < rank; back++) {
    const auto at = static_cast<std::size_t>(back);
    const BroadcastPlan::Axis axis{result[-back - 1], a_strides[at], b_strides[at]};
    if (axis.size == 1) continue;
    const bool joins = !axes.empty() && axis.a_stride == axes.back().a_stride * axes.back().size &&
                       axis.b_stride == axes.back().b_stride * axes.back().size;
    if (joins)
      axes.back().size *= axis.size;
    else
      axes.push_back(axis);
  }
  if (axes.empty()) return {};
  BroadcastPlan plan{axes[0].size, axes[0].a_stride, axes[0].b_stride, {}};
  plan.outer.assign(axes.begin() + 1, axes.end());
  return plan;
}

}  // namespace clmx
