#pragma once

#include <string_view>

#include "clmx/devices/error.hpp"
#include "clmx/host/array.hpp"

namespace clmx {

inline void require_float(const Array& x, std::string_view op, std::string_view name) {
  require(is_float(x.dtype()), op, name, " must be a float array (f32, f16, bf16), not ",
          x.dtype());
}

inline void require_index(const Array& x, std::string_view op, std::string_view name) {
  require(!is_float(x.dtype()), op, name, " must be i32, u32 or u8, not ", x.dtype());
}

inline void require_rank_at_least(const Array& x, int rank, std::string_view op,
                                  std::string_view name) {
  require(x.rank() >= rank, op, name, " needs at least ", rank, " axes, its shape is ", x.shape());
}

}  // namespace clmx
