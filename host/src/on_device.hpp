#pragma once

#include "clmx/host/array.hpp"

namespace clmx {

/// An array computed by the host, as one of the stream's device.
inline Array on_device(const Array& array, const Stream& stream) {
  if (array.size() == 0) return array;
  static_cast<void>(array.on(stream));  // which refuses what CLMX_TRANSFERS=deny forbids
  return array.to(stream.device());
}

}  // namespace clmx
