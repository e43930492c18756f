#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace clmx {

/// Host bytes together with what keeps them alive (a mapped file, a vector). Never changed through
/// here.
struct HostBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;

  /// Takes the values over, without a copy.
  template <class T>
  static HostBytes own(std::vector<T> values) {
    auto held = std::make_shared<const std::vector<T>>(std::move(values));
    return {std::as_bytes(std::span<const T>(*held)), held};
  }
};

/// Bytes of device memory, per device.
struct MemoryStats {
  std::size_t active_bytes = 0;  ///< in use by live buffers, wrapped host bytes not counted
  std::size_t peak_bytes = 0;    ///< largest active_bytes so far
  std::size_t cached_bytes = 0;  ///< freed, kept for reuse by the pool
};

/// Copies between devices or between host and device, since the process started.
struct TransferStats {
  std::uint64_t uploads = 0, downloads = 0;
  std::uint64_t uploaded_bytes = 0, downloaded_bytes = 0;
};
TransferStats transfer_stats();

}  // namespace clmx
