#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace clmx {

/// A command of a stream: the stream's number on its device and the command's sequence number.
struct Use {
  std::uint32_t stream = 0;
  std::uint64_t sequence = 0;
};

/// Each stream's last command that touches a block of memory. Mostly one stream uses a block, so
/// that the common note() is one compare-and-swap.
class LastUses {
 public:
  void note(Use use) {
    const std::uint64_t mine = pack(use);
    std::uint64_t seen = latest_.load(std::memory_order_relaxed);
    while (seen == 0 || unpack(seen).stream == use.stream) {
      if (latest_.compare_exchange_weak(seen, mine)) return;
    }
    note_other_stream(mine);
  }
  std::vector<Use> all() const;

 private:
  static constexpr int sequence_bits = 44;
  // Sequence numbers start at 1, so that no use packs to 0.
  static std::uint64_t pack(Use use) {
    return std::uint64_t{use.stream} << sequence_bits | use.sequence;
  }
  static Use unpack(std::uint64_t packed) {
    return {static_cast<std::uint32_t>(packed >> sequence_bits),
            packed & ((std::uint64_t{1} << sequence_bits) - 1)};
  }
  void note_other_stream(std::uint64_t mine);

  std::atomic<std::uint64_t> latest_{0};
  mutable std::mutex mutex_;
  std::vector<std::uint64_t> others_;
};

}  // namespace clmx
