#include "device_transfers.hpp"

#include <atomic>

#include "clmx/host/device_transfers.hpp"

namespace clmx {
namespace {

struct Counter {
  std::atomic<std::uint64_t> arrays{0}, bytes{0};
};
Counter copied, shared;

}  // namespace

void note(const DeviceTransfer& transfer) {
  Counter& counter = transfer.shared ? shared : copied;
  ++counter.arrays;
  counter.bytes += transfer.bytes;
  if (Tap* tap = current_tap()) tap->transfer(transfer);
}

DeviceTransferStats device_transfer_stats() {
  return {copied.arrays, copied.bytes, shared.arrays, shared.bytes};
}

}  // namespace clmx
