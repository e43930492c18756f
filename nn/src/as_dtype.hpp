#pragma once

#include <optional>

#include "clmx/host/ops_basic.hpp"

namespace clmx {

/// x in dtype; x itself when it has that dtype already or none is asked for.
inline Array as_dtype(const Array& x, std::optional<DType> dtype, StreamOrDevice s) {
  return !dtype || x.dtype() == *dtype ? x : cast(x, *dtype, s);
}

}  // namespace clmx
