#pragma once

#include "clmx/host/mpq.hpp"

namespace clmx {

/// Sizes of an MPQ layer's weight.
struct MpqSizes {
  std::int64_t in = 0, out = 0, groups = 0;
};

/// Throws ArgumentError unless the parts of the weight fit each other.
MpqSizes sizes_of(const MpqWeight& w, const char* op);

}  // namespace clmx
