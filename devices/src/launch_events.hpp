#pragma once

#include <cstdint>
#include <deque>

#include "opencl.hpp"

namespace clmx {

/// Whether streams of more than one device were made in this process: only then do launches leave
/// events, which are not free.
bool several_devices_in_use();
/// A stream of one more device was made.
void count_device_in_use();

/// The events of a stream's latest launches. Guarded by the stream's mutex.
class LaunchEvents {
 public:
  /// Of the launch with this sequence number, or of its last piece.
  void add(std::uint64_t sequence, const cl::Event& event);
  /// Completes with the first launch known from this sequence number on; null where there is none.
  cl::Event first_from(std::uint64_t sequence) const;
  /// The commands up to this one are done.
  void drop_until(std::uint64_t sequence);
  /// For a stream that will never be done.
  void abandon();

 private:
  struct Ending {
    std::uint64_t sequence;
    cl::Event event;
  };
  std::deque<Ending> endings_;  // by sequence
};

}  // namespace clmx
