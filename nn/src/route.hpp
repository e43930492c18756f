#pragma once

#include <span>

#include "clmx/nn/linear.hpp"
#include "clmx/nn/placement.hpp"

namespace clmx {

/// Where one part of a model runs in one forward.
struct Route {
  Stream stream;
  /// The devices that share out the rows of its products; one or none: all on `stream`.
  std::span<const RowShare> shares = {};
};

/// The route that an entry of a placement tells; without one all runs on `otherwise`.
Route route_of(const Placement::Entry* entry, const Stream& otherwise);

/// layer.product on the route. Dense layers are not shared out.
Array product_on(const LinearLayer& layer, const Array& x, DType dtype, const Route& route);

}  // namespace clmx
