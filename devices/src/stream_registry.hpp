#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "last_uses.hpp"

namespace clmx {

struct StreamState;

/// The streams of one device, by number. Numbers are not used again.
class StreamRegistry {
 public:
  /// The number of a stream about to be made.
  std::uint32_t reserve();
  /// The stream is whole; others may wait for it.
  void add(StreamState& stream);
  /// The stream is no more. If it has finished, all its uses are complete; else they never are.
  void remove(std::uint32_t stream, bool finished);
  bool completed(const Use& use) const;
  /// Whether a stream that will never be complete has used the memory: it is left alone for ever.
  bool lost(const std::vector<Use>& uses) const;
  /// Waits for every stream's work. Failures are left for the streams' own synchronize().
  void finish_all();

  /// Changes when a marked launch of a stream has started or ended.
  std::uint64_t news() const;
  /// The device does not answer: every stream is dead.
  void lose_all();
  /// The kernels that may be the ones that do not end.
  std::string suspects() const;
  /// Whether a stream has died.
  bool any_lost() const { return any_lost_; }
  void note_loss() { any_lost_ = true; }

 private:
  struct Slot {
    StreamState* stream = nullptr;
    bool finished = false;
  };
  mutable std::mutex mutex_;
  std::vector<Slot> streams_;
  std::atomic<bool> any_lost_{false};
};

}  // namespace clmx
