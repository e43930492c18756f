#pragma once

#include <cstddef>
#include <memory>

#include "clmx/devices/device.hpp"

namespace clmx {

struct BufferState;

/// Device memory, shared by its handles and released (to the pool) with the last one.
/// A default-constructed Buffer is empty: size 0, no device memory.
class Buffer {
 public:
  Buffer() = default;
  /// From the device's pool. Contents are undefined. `stream` is the stream that first writes it: a
  /// block freed on that in-order stream is reused at once, one last used elsewhere only after that
  /// use. Throws OutOfMemory when bytes exceed max_allocation_bytes or memory is exhausted (after
  /// the pool was dropped and one retry).
  static Buffer allocate(const Stream& stream, std::size_t bytes);
  /// Exactly sized and never pooled: for weights.
  static Buffer allocate_unpooled(const Device& device, std::size_t bytes);
  /// Host bytes as device memory, without a copy. The bytes stay alive until the last use on every
  /// stream. Requires device.wraps_host_memory(); kernels must not write it.
  static Buffer wrap(const Device& device, HostBytes bytes);

  std::size_t size() const;  ///< bytes, as asked for
  Device device() const;     ///< throws ArgumentError when empty
  explicit operator bool() const { return state_ != nullptr; }
  bool operator==(const Buffer& other) const { return state_ == other.state_; }
  BufferState* state() const { return state_.get(); }
  const std::shared_ptr<BufferState>& shared() const { return state_; }
  explicit Buffer(std::shared_ptr<BufferState> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<BufferState> state_;
};

/// A read-only window of device memory mapped into the host's address space; unmapped by the
/// destructor.
class MappedBuffer {
 public:
  MappedBuffer(const MappedBuffer&) = delete;
  MappedBuffer& operator=(const MappedBuffer&) = delete;
  MappedBuffer(MappedBuffer&& other) noexcept;
  MappedBuffer& operator=(MappedBuffer&&) = delete;
  ~MappedBuffer();
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  friend class Stream;
  MappedBuffer(std::shared_ptr<void> hold, const std::byte* data, std::size_t size)
      : hold_(std::move(hold)), data_(data), size_(size) {}
  std::shared_ptr<void> hold_;  // unmaps when released
  const std::byte* data_;
  std::size_t size_;
};

}  // namespace clmx
