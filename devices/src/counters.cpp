#include "counters.hpp"

#include "clmx/devices/device.hpp"
#include "clmx/devices/memory.hpp"

namespace clmx {

Counters& counters() {
  static Counters instance;
  return instance;
}

BuildStats build_stats() {
  const Counters& c = counters();
  return {c.compiled, c.loaded, c.launches, static_cast<double>(c.build_nanoseconds) * 1e-9};
}

TransferStats transfer_stats() {
  const Counters& c = counters();
  return {c.uploads, c.downloads, c.uploaded_bytes, c.downloaded_bytes};
}

}  // namespace clmx
