#include <algorithm>

#include "cl_error.hpp"
#include "counters.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

// Writes up to this size are copied and left pending; larger ones wait instead.
constexpr std::size_t staged_write_bytes = std::size_t{256} << 10;

// Checks the window and that the stream can use the buffer.
void check_window(const StreamState& stream, const Buffer& buffer, std::size_t offset,
                  std::size_t bytes, std::string_view op) {
  require(offset <= buffer.size() && bytes <= buffer.size() - offset, op, bytes, " bytes at ",
          offset, " exceed the buffer's ", buffer.size(), " bytes");
  require(bytes == 0 || &buffer.state()->device == &stream.device, op,
          "the buffer is not on the stream's device ", stream.device.info.selector);
  stream.require_alive();
}

// Runs the call; when memory is exhausted, once more after the pool was emptied.
template <class Call>
void enqueue(StreamState& stream, std::string_view name, Call call) {
  cl_int status = call();
  if (is_out_of_memory(status)) {
    stream.device.streams.finish_all();
    stream.device.pool.trim();
    status = call();
  }
  if (is_out_of_memory(status)) {
    throw OutOfMemory(join(name, " on ", stream.device.info.selector, ": ", describe_code(status)));
  }
  if (status != CL_SUCCESS) stream.fail(name, status);
}

Use note_use(StreamState& stream, std::initializer_list<const Buffer*> buffers) {
  const std::lock_guard lock(stream.mutex);
  const Use use = stream.next_use();
  for (const Buffer* buffer : buffers) buffer->state()->uses.note(use);
  return use;
}

void write_staged(StreamState& stream, const Buffer& to, std::size_t offset,
                  std::span<const std::byte> bytes) {
  const Use use = note_use(stream, {&to});
  const std::byte* copy = nullptr;
  {
    const std::lock_guard lock(stream.mutex);
    stream.drop_staged();
    stream.staged.push_back({use.sequence, {bytes.begin(), bytes.end()}});
    copy = stream.staged.back().bytes.data();
  }
  enqueue(stream, "clEnqueueWriteBuffer", [&] {
    return stream.queue.enqueueWriteBuffer(to.state()->block.memory, CL_FALSE, offset, bytes.size(),
                                           copy);
  });
}

void write_waiting(StreamState& stream, const Buffer& to, std::size_t offset,
                   std::span<const std::byte> bytes) {
  const Use use = note_use(stream, {&to});
  enqueue(stream, "clEnqueueWriteBuffer", [&] {
    return stream.queue.enqueueWriteBuffer(to.state()->block.memory, CL_TRUE, offset, bytes.size(),
                                           bytes.data());
  });
  stream.mark_completed(use.sequence);
}

}  // namespace

void Stream::write(const Buffer& to, std::size_t offset, std::span<const std::byte> bytes) const {
  check_window(*state_, to, offset, bytes.size(), "Stream::write");
  if (bytes.empty()) return;
  if (bytes.size() <= staged_write_bytes) {
    write_staged(*state_, to, offset, bytes);
  } else {
    write_waiting(*state_, to, offset, bytes);
  }
  ++counters().uploads;
  counters().uploaded_bytes += bytes.size();
}

void Stream::read(const Buffer& from, std::size_t offset, std::span<std::byte> bytes) const {
  check_window(*state_, from, offset, bytes.size(), "Stream::read");
  if (bytes.empty()) return;
  const Use use = note_use(*state_, {&from});
  enqueue(*state_, "clEnqueueReadBuffer", [&] {
    return state_->queue.enqueueReadBuffer(from.state()->block.memory, CL_TRUE, offset,
                                           bytes.size(), bytes.data());
  });
  state_->mark_completed(use.sequence);
  ++counters().downloads;
  counters().downloaded_bytes += bytes.size();
}

void Stream::copy(const Buffer& from, std::size_t from_offset, const Buffer& to,
                  std::size_t to_offset, std::size_t bytes) const {
  check_window(*state_, from, from_offset, bytes, "Stream::copy");
  check_window(*state_, to, to_offset, bytes, "Stream::copy");
  if (bytes == 0) return;
  const std::size_t apart =
      from_offset > to_offset ? from_offset - to_offset : to_offset - from_offset;
  require(!(from == to) || apart >= bytes, "Stream::copy", "the two windows overlap");
  note_use(*state_, {&from, &to});
  enqueue(*state_, "clEnqueueCopyBuffer", [&] {
    return state_->queue.enqueueCopyBuffer(from.state()->block.memory, to.state()->block.memory,
                                           from_offset, to_offset, bytes);
  });
}

void Stream::fill(const Buffer& buffer, std::size_t offset, std::size_t bytes,
                  std::uint8_t value) const {
  check_window(*state_, buffer, offset, bytes, "Stream::fill");
  if (bytes == 0) return;
  note_use(*state_, {&buffer});
  enqueue(*state_, "clEnqueueFillBuffer", [&] {
    return state_->queue.enqueueFillBuffer(buffer.state()->block.memory, value, offset, bytes);
  });
}

MappedBuffer Stream::map(const Buffer& buffer, std::size_t offset, std::size_t bytes) const {
  check_window(*state_, buffer, offset, bytes, "Stream::map");
  if (bytes == 0) return {nullptr, nullptr, 0};
  const Use use = note_use(*state_, {&buffer});
  void* mapped = nullptr;
  enqueue(*state_, "clEnqueueMapBuffer", [&] {
    cl_int status = CL_SUCCESS;
    mapped = state_->queue.enqueueMapBuffer(buffer.state()->block.memory, CL_TRUE, CL_MAP_READ,
                                            offset, bytes, nullptr, nullptr, &status);
    return status;
  });
  state_->mark_completed(use.sequence);
  const auto unmap = [stream = state_, buffer](void* window) {
    if (process_ends() || stream->dead) return;
    note_use(*stream, {&buffer});
    stream->queue.enqueueUnmapMemObject(buffer.state()->block.memory, window);
  };
  return {std::shared_ptr<void>(mapped, unmap), static_cast<const std::byte*>(mapped), bytes};
}

MappedBuffer::MappedBuffer(MappedBuffer&& other) noexcept = default;

MappedBuffer::~MappedBuffer() = default;

}  // namespace clmx
