#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "clmx/devices/buffer.hpp"
#include "clmx/devices/device.hpp"
#include "clmx/devices/event.hpp"

namespace clmx {

struct StreamState;

/// A buffer argument of a launch: becomes two kernel arguments, (global T*, ulong first element).
struct BufferArgument {
  Buffer buffer;
  std::uint64_t offset = 0;  ///< in elements of the kernel's type
};
using KernelArgument =
    std::variant<BufferArgument, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, float>;

/// One launch's measured duration.
struct LaunchTime {
  std::string kernel;
  double seconds = 0;
  bool host_clock = false;  ///< true: measured by the host around enqueue and finish
};

/// One in-order command queue of a device. A cheap handle; any thread may use it.
///
/// Indices that a device computed are checked by the kernels that use them: if one was out of
/// range, the first of synchronize, read and map that waits for it throws ArgumentError, naming the
/// op and the index, to one thread, once. The op used the nearest valid index, and the stream stays
/// usable. Streams know nothing of each other's indices.
///
/// After a failure of the device every call throws DeviceError (see failure.hpp).
class Stream {
 public:
  Device device() const;
  bool operator==(const Stream& other) const { return state_ == other.state_; }

  /// Completes when everything enqueued so far has.
  Event record() const;
  /// Later work on this stream starts after the event: on the device where the context is shared,
  /// else the host waits.
  void wait(const Event& event) const;
  /// Waits for everything. Throws DeviceError, naming the kernel, for what failed since the last
  /// call; ArgumentError for an index out of range.
  void synchronize() const;
  /// Hands what is enqueued to the device without waiting.
  void flush() const;

  /// Enqueues the kernel; returns at once. Buffers may be handed in empty only where the kernel
  /// never reads them. Throws ArgumentError when a limit of the device or kernel would be exceeded,
  /// DeviceError when the driver refuses.
  void launch(const Kernel& kernel, const Grid& grid,
              std::span<const KernelArgument> arguments) const;
  template <class... Args>
  void launch(const Kernel& kernel, const Grid& grid, const Args&... args) const {
    const std::array<KernelArgument, sizeof...(Args)> list{KernelArgument(args)...};
    launch(kernel, grid, std::span<const KernelArgument>(list));
  }

  /// Host to device; returns when `bytes` may be reused.
  void write(const Buffer& to, std::size_t offset, std::span<const std::byte> bytes) const;
  /// Device to host; waits. Throws DeviceError if what came before failed, ArgumentError for an
  /// index out of range (`bytes` are written nevertheless).
  void read(const Buffer& from, std::size_t offset, std::span<std::byte> bytes) const;
  void copy(const Buffer& from, std::size_t from_offset, const Buffer& to, std::size_t to_offset,
            std::size_t bytes) const;
  void fill(const Buffer& buffer, std::size_t offset, std::size_t bytes, std::uint8_t value) const;
  /// Waits for the stream, then maps for reading: no copy where memory is unified. Throws as
  /// read().
  MappedBuffer map(const Buffer& buffer, std::size_t offset, std::size_t bytes) const;

  /// The launches since the last call, oldest first; empty unless the stream was made with
  /// profiling. Synchronizes.
  std::vector<LaunchTime> take_profile() const;

  StreamState* state() const { return state_.get(); }
  explicit Stream(std::shared_ptr<StreamState> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<StreamState> state_;
};

}  // namespace clmx
