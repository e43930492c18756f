#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <string_view>

#include "clmx/devices/trace.hpp"
#include "opencl.hpp"

namespace clmx {

struct DeviceInfo;

/// The commands of one stream, for the trace. Its lock is never held while anything waits.
class StreamTrace {
 public:
  explicit StreamTrace(std::uint32_t track) : track_(track) {}
  /// Of a new stream; nothing unless tracing.
  static std::shared_ptr<StreamTrace> start(const DeviceInfo& device, std::string_view role,
                                            std::uint32_t stream);

  std::uint32_t track() const { return track_; }
  /// The command was enqueued; `done` will tell when it ran.
  void enqueued(const TraceEvent& command, cl::Event done);
  /// The command ran alone, timed by the host.
  void ran(TraceEvent command);
  /// Hands what has completed to the recorder; says how much has not.
  std::uint64_t collect();
  /// Whether the device gave times that cannot be true.
  bool distrusts_device() const { return distrusts_; }

 private:
  struct Pending {
    TraceEvent command;
    cl::Event done;
    cl_int state = CL_QUEUED;  // when last asked
  };
  bool knows_offset() const { return least_offset_ > unbounded; }
  std::size_t count_completed();
  void narrow_offset(const Pending& pending);
  void collect_completed();
  void finish(const Pending& pending);
  bool map_times(const Pending& pending, TraceEvent& command);
  void record(TraceEvent& command);

  const std::uint32_t track_;
  std::atomic<bool> distrusts_{false};
  std::mutex mutex_;
  std::deque<Pending> pending_;
  // Bounds of the host's clock minus the device's.
  static constexpr std::int64_t unbounded = std::numeric_limits<std::int64_t>::min();
  std::int64_t least_offset_ = unbounded, most_offset_ = -1 - unbounded;
  std::int64_t last_end_ = 0;
};

/// One command from before its enqueueing. Does nothing where `trace` is null.
class TracedCommand {
 public:
  TracedCommand(StreamTrace* trace, TraceKind kind, std::string_view name);
  TraceEvent& event() { return event_; }
  /// An event that completes with the command; it was just enqueued.
  void enqueued(const cl::Event& done);
  /// It has just ended, after running alone for this long.
  void ran(double seconds);

 private:
  StreamTrace* const trace_;
  TraceEvent event_;
};

}  // namespace clmx
