#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "clmx/devices/kernel.hpp"

namespace clmx {

enum class TraceKind { launch, upload, download, copy, fill, map, compile, load, save, host };
std::string_view to_string(TraceKind kind);

/// Something that took time on a track. All times are nanoseconds of the host's steady clock since
/// start_trace().
struct TraceEvent {
  TraceKind kind = TraceKind::host;
  std::string_view name;    ///< a kernel's entry, a kernel file, or what the host did; never freed
  std::uint32_t track = 0;  ///< index into Trace::tracks
  std::int64_t start_ns = 0, end_ns = 0;
  std::uint64_t bytes = 0;  ///< moved, by transfers and fills
  Grid grid;                ///< of a launch
  bool host_clock = false;  ///< of a stream's command: timed by the host, not by the device
  /// Of a stream's command: the host's track that enqueued it, and when.
  std::uint32_t host_track = 0;
  std::int64_t enqueue_start_ns = 0, enqueue_end_ns = 0;

  bool of_stream() const { return kind < TraceKind::compile; }
};

/// A stream of a device, or a thread of the host.
struct TraceTrack {
  std::string device;  ///< its selector; empty: the host
  std::string name;    ///< "stream 0", "thread 0"
};

/// Sorted by track, then start. On a track of a stream events do not overlap, and one that took no
/// time comes before one that starts with it; on one of the host they nest, the longer first.
struct Trace {
  std::vector<TraceTrack> tracks;
  std::vector<TraceEvent> events;
  std::uint64_t dropped = 0;     ///< events beyond the most that are kept (2^21)
  std::uint64_t unfinished = 0;  ///< commands that had not completed
};

/// From here on new streams, builds and scopes are recorded. Streams made before are not. A stream
/// of a device with a timer is timed by the device, mapped to the host's clock by the times of
/// enqueueing. One of a device without a timer, or whose times cannot be true, is timed by the host
/// around each command, which then runs by itself.
void start_trace();
/// Whether start_trace() was called.
bool tracing();
/// complete: waits for all streams and saves built programs to the disk cache first, as the end of
/// the process does. at_once: waits for nothing.
enum class TraceEnd { complete, at_once };
/// What was recorded since start_trace() or the last call. Recording goes on.
Trace take_trace(TraceEnd end);

/// Records the time from its making to its end on the calling thread's track; costs nothing
/// unless tracing. Must end on the thread that made it, in reverse order of making.
class TraceScope {
 public:
  explicit TraceScope(std::string_view name, TraceKind kind = TraceKind::host) {
    if (tracing()) begin(name, kind);
  }
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;
  ~TraceScope() {
    if (started_) end();
  }

 private:
  void begin(std::string_view name, TraceKind kind);
  void end() const noexcept;

  bool started_ = false;
  TraceKind kind_ = TraceKind::host;
  std::string_view name_;
  std::int64_t start_ns_ = 0;
};

}  // namespace clmx
