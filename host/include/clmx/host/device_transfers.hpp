#pragma once

#include <cstdint>

namespace clmx {

/// Arrays that one device wrote and another used, since the process started. Every array counts
/// once per device that it came to, however often it was used there.
struct DeviceTransferStats {
  std::uint64_t copied = 0, copied_bytes = 0;
  /// Both devices work in host memory and use the same pages: nothing was copied.
  std::uint64_t shared = 0, shared_bytes = 0;
};
DeviceTransferStats device_transfer_stats();

}  // namespace clmx
