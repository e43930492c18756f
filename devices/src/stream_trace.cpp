#include "stream_trace.hpp"

#include <algorithm>
#include <numeric>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "trace_recorder.hpp"

namespace clmx {
namespace {

// Events are fetched in passing once so many wait: they hold memory of the driver.
constexpr std::size_t most_pending = 1024;
// The first fetch comes early, to see whether the device's times can be trusted.
constexpr std::size_t first_pending = 16;

std::int64_t device_time(const cl::Event& event, cl_profiling_info name) {
  cl_ulong time = 0;
  return event.getProfilingInfo(name, &time) == CL_SUCCESS ? static_cast<std::int64_t>(time) : -1;
}

}  // namespace

std::shared_ptr<StreamTrace> StreamTrace::start(const DeviceInfo& device, std::string_view role,
                                                std::uint32_t stream) {
  if (!tracing()) return nullptr;
  TraceRecorder& recorder = TraceRecorder::instance();
  auto trace = std::make_shared<StreamTrace>(
      recorder.new_track(device.selector, clmx::join(role, ' ', stream)));
  recorder.join(trace);
  return trace;
}

void StreamTrace::enqueued(const TraceEvent& command, cl::Event done) {
  const std::lock_guard lock(mutex_);
  pending_.push_back({command, std::move(done)});
  if (pending_.size() >= (knows_offset() ? most_pending : first_pending)) collect_completed();
}

void StreamTrace::ran(TraceEvent command) {
  const std::lock_guard lock(mutex_);
  collect_completed();
  record(command);
}

std::uint64_t StreamTrace::collect() {
  const std::lock_guard lock(mutex_);
  collect_completed();
  return pending_.size();
}

// The queue is in order: what follows a command that has not completed has not either.
std::size_t StreamTrace::count_completed() {
  std::size_t count = 0;
  for (Pending& pending : pending_) {
    pending.state = CL_QUEUED;
    if (pending.done.getInfo(CL_EVENT_COMMAND_EXECUTION_STATUS, &pending.state) != CL_SUCCESS)
      pending.state = -1;
    if (pending.state > CL_COMPLETE) break;
    ++count;
  }
  return count;
}

// All that completed tells about the clocks before the first of it is mapped: enqueueing may take
// long, where the driver compiles or the host is busy, and then tells little.
void StreamTrace::collect_completed() {
  const std::size_t count = count_completed();
  for (std::size_t i = 0; i < count; ++i) {
    if (pending_[i].state == CL_COMPLETE) narrow_offset(pending_[i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (pending_.front().state == CL_COMPLETE) finish(pending_.front());
    pending_.pop_front();
  }
}

void StreamTrace::finish(const Pending& pending) {
  TraceEvent command = pending.command;
  if (!map_times(pending, command)) {
    distrusts_ = true;
    command.host_clock = true;
    command.start_ns = command.end_ns = command.enqueue_end_ns;
  }
  record(command);
}

// The device notes the enqueueing too, which the host saw begin and end: the two clocks' difference
// lies between. The bounds of several commands are met together as far as clocks that drift allow.
void StreamTrace::narrow_offset(const Pending& pending) {
  const std::int64_t queued = device_time(pending.done, CL_PROFILING_COMMAND_QUEUED);
  if (queued <= 0) return;
  const std::int64_t least = pending.command.enqueue_start_ns - queued;
  const std::int64_t most = pending.command.enqueue_end_ns - queued;
  least_offset_ = std::clamp(least_offset_, least, most);
  most_offset_ = std::clamp(most_offset_, least, most);
}

bool StreamTrace::map_times(const Pending& pending, TraceEvent& command) {
  const std::int64_t queued = device_time(pending.done, CL_PROFILING_COMMAND_QUEUED);
  const std::int64_t start = device_time(pending.done, CL_PROFILING_COMMAND_START);
  const std::int64_t end = device_time(pending.done, CL_PROFILING_COMMAND_END);
  if (queued <= 0 || start < queued || end < start) return false;
  narrow_offset(pending);
  const std::int64_t offset = std::midpoint(least_offset_, most_offset_);
  command.start_ns = start + offset;
  command.end_ns = end + offset;
  constexpr std::int64_t tolerance_ns = 1'000'000;
  return command.end_ns <= TraceRecorder::instance().now() + tolerance_ns;
}

// Commands run one after the other and for as long as was measured: where the clocks' difference
// has become smaller since the command before, the later one moves.
void StreamTrace::record(TraceEvent& command) {
  const std::int64_t late = std::max<std::int64_t>(0, last_end_ - command.start_ns);
  command.start_ns += late;
  command.end_ns += late;
  last_end_ = command.end_ns;
  TraceRecorder::instance().add(command);
}

TracedCommand::TracedCommand(StreamTrace* trace, TraceKind kind, std::string_view name)
    : trace_(trace) {
  if (trace_ == nullptr) return;
  TraceRecorder& recorder = TraceRecorder::instance();
  event_.kind = kind;
  event_.name = name;
  event_.track = trace_->track();
  event_.host_track = recorder.host_track();
  event_.enqueue_start_ns = recorder.now();
}

void TracedCommand::enqueued(const cl::Event& done) {
  if (trace_ == nullptr) return;
  event_.enqueue_end_ns = TraceRecorder::instance().now();
  trace_->enqueued(event_, done);
}

void TracedCommand::ran(double seconds) {
  if (trace_ == nullptr) return;
  event_.enqueue_end_ns = event_.end_ns = TraceRecorder::instance().now();
  event_.start_ns = event_.end_ns - static_cast<std::int64_t>(seconds * 1e9);
  event_.host_clock = true;
  trace_->ran(event_);
}

}  // namespace clmx
