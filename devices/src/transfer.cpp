#include <algorithm>
#include <chrono>

#include "cl_error.hpp"
#include "counters.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

// Checks the window and that the stream can use the buffer.
void check_window(StreamState& stream, const Buffer& buffer, std::size_t offset, std::size_t bytes,
                  std::string_view op) {
  require(offset <= buffer.size() && bytes <= buffer.size() - offset, op, bytes, " bytes at ",
          offset, " exceed the buffer's ", buffer.size(), " bytes");
  require(bytes == 0 || &buffer.state()->device == &stream.device, op,
          "the buffer is not on the stream's device ", stream.device.info.selector);
  stream.require_alive();
}

enum class Then { go_on, wait };

/// A command that moves bytes.
struct Transfer {
  std::string_view call;
  TraceKind kind;
  std::size_t bytes;
  Then then = Then::go_on;
  bool checks_errors = false;  ///< what kernels reported comes along
};

// Runs `call(event)`, which enqueues the command; with the mutex held.
template <class Call>
cl_int enqueue_traced(StreamState& stream, const Transfer& transfer, cl::Event& done, Call call) {
  if (!stream.trace) return call(transfer.then == Then::wait ? &done : nullptr);
  TracedCommand traced(stream.trace.get(), transfer.kind, to_string(transfer.kind));
  traced.event().bytes = transfer.bytes;
  const bool alone = !stream.asks_device_for_times();
  if (alone) stream.finish_queue();
  const auto start = std::chrono::steady_clock::now();
  cl_int status = call(&done);
  if (status == CL_SUCCESS && alone) status = wait_for(stream, done);
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  if (status != CL_SUCCESS) return status;
  alone ? traced.ran(time.count()) : traced.enqueued(done);
  return status;
}

// Where the wait itself failed, the command may go on, and still use the caller's memory.
cl_int wait_for_end(StreamState& stream, const cl::Event& event) {
  const cl_int status = wait_for(stream, event);
  if (status == CL_SUCCESS || status == device_hung) return status;
  return stream.finish_queue() == device_hung ? device_hung : status;
}

// Enqueues `call(event, sequence)`, a use of the buffers; when memory is exhausted, once more after
// the pool was emptied. Numbering and enqueueing are one step: a number that others see as complete
// must not be pending. The wait is outside of the lock. Returns what kernels reported, if the
// transfer checks that.
template <class Call>
std::shared_ptr<ErrorReport> enqueue(StreamState& stream, const Transfer& transfer,
                                     std::initializer_list<const Buffer*> buffers, Call call) {
  bool waited = false;
  std::shared_ptr<ErrorReport> report;
  const auto attempt = [&] {
    cl::Event done;
    Use use;
    cl_int status = CL_SUCCESS;
    {
      const std::lock_guard lock(stream.mutex);
      use = stream.next_use();
      for (const Buffer* buffer : buffers) buffer->state()->uses.note(use);
      if (transfer.checks_errors && !report) report = stream.reports.enqueue_read(stream.queue);
      status = enqueue_traced(stream, transfer, done,
                              [&](cl::Event* event) { return call(event, use.sequence); });
    }
    if (status != CL_SUCCESS || transfer.then == Then::go_on) return status;
    const TraceScope waiting("wait");
    status = wait_for_end(stream, done);
    if (status == CL_SUCCESS) stream.mark_completed(use.sequence);
    if (status == device_hung) leave_alone(std::move(done));
    waited = true;
    return status;
  };
  cl_int status = attempt();
  if (is_out_of_memory(status)) {
    stream.device.streams.finish_all();
    stream.device.pool.trim();
    status = attempt();
  }
  if (status == CL_SUCCESS) return report;
  if (report) stream.reports.give_up(std::move(report), stream.mutex);
  if (is_out_of_memory(status)) {
    throw OutOfMemory(
        join(transfer.call, " on ", stream.device.info.selector, ": ", describe_code(status)));
  }
  if (waited) stream.fail_waiting(transfer.call, status);
  stream.fail(transfer.call, status);
}

void write_staged(StreamState& stream, const Buffer& to, std::size_t offset,
                  std::span<const std::byte> bytes) {
  const auto call = [&](cl::Event* done, std::uint64_t sequence) {
    stream.drop_completed();
    stream.staged.push_back({sequence, {bytes.begin(), bytes.end()}});
    return stream.queue.enqueueWriteBuffer(to.state()->block.memory, CL_FALSE, offset, bytes.size(),
                                           stream.staged.back().bytes.data(), nullptr, done);
  };
  enqueue(stream, {"clEnqueueWriteBuffer", TraceKind::upload, bytes.size()}, {&to}, call);
}

void write_waiting(StreamState& stream, const Buffer& to, std::size_t offset,
                   std::span<const std::byte> bytes) {
  const auto call = [&](cl::Event* done, std::uint64_t) {
    return stream.queue.enqueueWriteBuffer(to.state()->block.memory, CL_FALSE, offset, bytes.size(),
                                           bytes.data(), nullptr, done);
  };
  enqueue(stream, {"clEnqueueWriteBuffer", TraceKind::upload, bytes.size(), Then::wait}, {&to},
          call);
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
  const auto call = [&](cl::Event* done, std::uint64_t) {
    return state_->queue.enqueueReadBuffer(from.state()->block.memory, CL_FALSE, offset,
                                           bytes.size(), bytes.data(), nullptr, done);
  };
  const auto report =
      enqueue(*state_, {"clEnqueueReadBuffer", TraceKind::download, bytes.size(), Then::wait, true},
              {&from}, call);
  ++counters().downloads;
  counters().downloaded_bytes += bytes.size();
  throw_if_reported(*state_, report);
}

void Stream::copy(const Buffer& from, std::size_t from_offset, const Buffer& to,
                  std::size_t to_offset, std::size_t bytes) const {
  check_window(*state_, from, from_offset, bytes, "Stream::copy");
  check_window(*state_, to, to_offset, bytes, "Stream::copy");
  if (bytes == 0) return;
  const std::size_t apart =
      from_offset > to_offset ? from_offset - to_offset : to_offset - from_offset;
  require(!(from == to) || apart >= bytes, "Stream::copy", "the two windows overlap");
  const auto call = [&](cl::Event* done, std::uint64_t) {
    return state_->queue.enqueueCopyBuffer(from.state()->block.memory, to.state()->block.memory,
                                           from_offset, to_offset, bytes, nullptr, done);
  };
  enqueue(*state_, {"clEnqueueCopyBuffer", TraceKind::copy, bytes}, {&from, &to}, call);
}

void Stream::fill(const Buffer& buffer, std::size_t offset, std::size_t bytes,
                  std::uint8_t value) const {
  check_window(*state_, buffer, offset, bytes, "Stream::fill");
  if (bytes == 0) return;
  const auto call = [&](cl::Event* done, std::uint64_t) {
    return state_->queue.enqueueFillBuffer(buffer.state()->block.memory, value, offset, bytes,
                                           nullptr, done);
  };
  enqueue(*state_, {"clEnqueueFillBuffer", TraceKind::fill, bytes}, {&buffer}, call);
}

MappedBuffer Stream::map(const Buffer& buffer, std::size_t offset, std::size_t bytes) const {
  check_window(*state_, buffer, offset, bytes, "Stream::map");
  if (bytes == 0) return {nullptr, nullptr, 0};
  void* mapped = nullptr;
  const auto call = [&](cl::Event* done, std::uint64_t) {
    cl_int status = CL_SUCCESS;
    mapped = state_->queue.enqueueMapBuffer(buffer.state()->block.memory, CL_FALSE, CL_MAP_READ,
                                            offset, bytes, nullptr, done, &status);
    return status;
  };
  const auto report = enqueue(
      *state_, {"clEnqueueMapBuffer", TraceKind::map, bytes, Then::wait, true}, {&buffer}, call);
  const auto unmap = [stream = state_, buffer](void* window) {
    if (process_ends() || stream->dead) return;  // for ever mapped
    const std::lock_guard lock(stream->mutex);
    buffer.state()->uses.note(stream->next_use());
    stream->queue.enqueueUnmapMemObject(buffer.state()->block.memory, window);
  };
  MappedBuffer window{std::shared_ptr<void>(mapped, unmap), static_cast<const std::byte*>(mapped),
                      bytes};
  throw_if_reported(*state_, report);  // unmaps
  return window;
}

MappedBuffer::MappedBuffer(MappedBuffer&& other) noexcept = default;

MappedBuffer::~MappedBuffer() = default;

}  // namespace clmx
