#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
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
  /// The stream has finished; all its uses are complete.
  void remove(std::uint32_t stream);
  bool completed(const Use& use) const;
  /// Waits for every stream's work. Failures are left for the streams' own synchronize().
  void finish_all();

 private:
  mutable std::mutex mutex_;
  std::vector<StreamState*> streams_;
};

}  // namespace clmx
