#include "stream_trace.hpp"

#include <algorithm>

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

std::shared_ptr<StreamTrace> StreamTrace::start(const DeviceInfo& device, std::uint32_t stream) {
  if (!tracing()) return nullptr;
  TraceRecorder& recorder = TraceRecorder::instance();
  auto trace = std::make_shared<StreamTrace>(
      recorder.new_track(device.selector, clmx::join("stream ", stream)));
  recorder.join(trace);
  return trace;
}

void StreamTrace::enqueued(const TraceEvent& command, cl::Event done) {
  const std::lock_guard lock(mutex_);
  pending_.push_back({command, std::move(done)});
  if (pending_.size() >= (has_offset_ ? most_pending : first_pending)) collect_completed();
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
void StreamTrace::collect_completed() {
  while (!pending_.empty()) {
    cl_int state = CL_QUEUED;
    const Pending& first = pending_.front();
    if (first.done.getInfo(CL_EVENT_COMMAND_EXECUTION_STATUS, &state) != CL_SUCCESS) state = -1;
    if (state > CL_COMPLETE) return;
    if (state == CL_COMPLETE) finish(first);
    pending_.pop_front();
  }
}

void StreamTrace::finish(const Pending& pending) {
  TraceEvent command = pending.command;
  if (!map_times(command, pending.done)) {
    distrusts_ = true;
    command.host_clock = true;
    command.start_ns = command.end_ns = command.enqueue_end_ns;
  }
  record(command);
}

// The device notes the enqueueing too, which the host saw begin and end: the two clocks' difference
// lies between, and is changed only as far as it must be, for clocks that drift.
bool StreamTrace::map_times(TraceEvent& command, const cl::Event& done) {
  const std::int64_t queued = device_time(done, CL_PROFILING_COMMAND_QUEUED);
  const std::int64_t start = device_time(done, CL_PROFILING_COMMAND_START);
  const std::int64_t end = device_time(done, CL_PROFILING_COMMAND_END);
  if (queued <= 0 || start < queued || end < start) return false;
  const std::int64_t least = command.enqueue_start_ns - queued;
  const std::int64_t most = command.enqueue_end_ns - queued;
  offset_ = has_offset_ ? std::clamp(offset_, least, most) : least + (most - least) / 2;
  has_offset_ = true;
  command.start_ns = start + offset_;
  command.end_ns = end + offset_;
  constexpr std::int64_t tolerance_ns = 1'000'000;
  return command.end_ns <= TraceRecorder::instance().now() + tolerance_ns;
}

void StreamTrace::record(TraceEvent& command) {
  command.start_ns = std::max(command.start_ns, last_end_);
  command.end_ns = std::max(command.end_ns, command.start_ns);
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
