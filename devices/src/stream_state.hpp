#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "clmx/devices/stream.hpp"
#include "device_state.hpp"
#include "error_report.hpp"
#include "hang.hpp"
#include "kernel_state.hpp"
#include "launch_events.hpp"
#include "pacing.hpp"
#include "stream_trace.hpp"

namespace clmx {

/// A kernel object of one stream with the arguments it was last given: a cl_kernel's slots are
/// shared by its holders, so each stream has its own.
struct StreamKernel {
  /// A scalar's bits, or a buffer's block number.
  struct Slot {
    std::uint64_t bits = 0;
    bool set = false;
  };
  const KernelState* kernel = nullptr;
  cl::Kernel object;
  std::vector<Slot> slots;
  std::array<std::size_t, 3> local{};
  Pace pace;
};

/// Writes up to this size are copied and left pending; larger ones wait instead.
constexpr std::size_t staged_write_bytes = std::size_t{256} << 10;

struct StreamState : std::enable_shared_from_this<StreamState> {
  /// With a new queue, or over somebody else's in-order one of the device's context.
  StreamState(DeviceState& stream_device, StreamOptions options, std::string_view role = "stream",
              cl::CommandQueue adopted = {});
  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;
  ~StreamState();

  /// Counts one more command. With the mutex held.
  Use next_use() { return {number, ++sequence}; }
  /// The commands up to this one are done.
  void mark_completed(std::uint64_t done);
  /// Throws DeviceError when the stream's device failed before, ForkedProcess in a forked process.
  void require_alive();
  /// Waits for everything; returns the status. Takes no lock while it waits.
  cl_int finish();
  /// As finish(), without counting what is done; with the mutex held or not.
  cl_int finish_queue();
  /// Throws what `code` of `call` means on this stream and makes it dead where the device is lost.
  [[noreturn]] void fail(std::string_view call, cl_int code);
  /// Whether launches are measured at all, and by the device.
  bool measures() const { return profiling || trace; }
  bool asks_device_for_times() const {
    return device_clock && !(trace && trace->distrusts_device());
  }
  /// As fail(), for what a wait returned: the stream is dead whatever the code, since what it was
  /// to write is not there.
  [[noreturn]] void fail_waiting(std::string_view call, cl_int code);
  /// Forgets the host copies of writes, and the launches, that are done. With the mutex held.
  void drop_completed();
  /// Takes no work from now on. With the mutex held.
  void die(std::string why);
  [[noreturn]] void throw_hung();

  DeviceState& device;
  const std::uint32_t number;
  const std::shared_ptr<StreamTrace> trace;  ///< null: not recorded
  const bool profiling, device_clock, synchronous, paced;
  cl::CommandQueue queue;

  std::mutex mutex;  ///< set-arguments-and-enqueue is atomic; guards what follows
  std::uint64_t sequence = 0;
  std::vector<StreamKernel> kernels;  ///< by KernelState::number
  const KernelState* last_launched = nullptr;
  double unflushed_seconds = 0;  ///< of launches on a paced stream since the last flush
  LaunchTrail trail;
  LaunchEvents endings;
  std::string loss;  ///< why the stream is dead
  ErrorReports reports;
  struct Staged {
    std::uint64_t sequence;
    std::vector<std::byte> bytes;
  };
  std::deque<Staged> staged;  ///< host copies that pending writes still read
  struct Sample {
    const KernelState* kernel;
    cl::Event event;
    double seconds;
  };
  std::vector<Sample> samples;

  std::atomic<std::uint64_t> completed{0};
  std::atomic<bool> dead{false};
};

struct BufferState {
  enum class Kind { pooled, unpooled, wrapped, foreign };
  BufferState(DeviceState& buffer_device, Kind buffer_kind, std::size_t bytes)
      : device(buffer_device), kind(buffer_kind), size(bytes) {}
  BufferState(const BufferState&) = delete;
  BufferState& operator=(const BufferState&) = delete;
  ~BufferState();

  DeviceState& device;
  const Kind kind;
  const std::size_t size;
  Block block;  ///< without memory when size is 0
  HostBytes host;
  LastUses uses;
};

/// A point in a stream. The marker is enqueued only when somebody has to wait, so that recording
/// costs nothing; it may then stand later in the stream than the point.
struct EventState {
  EventState() = default;
  EventState(const EventState&) = delete;
  EventState& operator=(const EventState&) = delete;
  ~EventState();

  std::shared_ptr<StreamState> stream;
  std::uint64_t sequence = 0;
  std::mutex mutex;
  cl::Event marker;

  /// True also for what never will be, since wait() then does not block but throws.
  bool complete();
  void wait();
  /// An OpenCL event that completes after the recorded point.
  cl::Event cl_event();
};

}  // namespace clmx
