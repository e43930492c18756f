#include "clmx/devices/stream.hpp"

#include <algorithm>

#include "cl_error.hpp"
#include "clmx/devices/failure.hpp"
#include "fork.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

cl::CommandQueue new_queue(DeviceState& device, bool device_clock) {
  cl_int status = CL_SUCCESS;
  const cl_command_queue_properties properties = device_clock ? CL_QUEUE_PROFILING_ENABLE : 0;
  cl::CommandQueue queue(device.context(), device.device, properties, &status);
  check(status, device.info, "clCreateCommandQueue");
  return queue;
}

/// Ours is made as we like.
bool may_be_profiled(const cl::CommandQueue& adopted) {
  cl_command_queue_properties properties = CL_QUEUE_PROFILING_ENABLE;
  if (adopted() && adopted.getInfo(CL_QUEUE_PROPERTIES, &properties) != CL_SUCCESS) return false;
  return (properties & CL_QUEUE_PROFILING_ENABLE) != 0;
}

}  // namespace

StreamState::StreamState(DeviceState& stream_device, StreamOptions options, std::string_view role,
                         cl::CommandQueue adopted)
    : device(stream_device),
      number(stream_device.streams.reserve()),
      trace(StreamTrace::start(stream_device.info, role, number)),
      profiling(options.profiling),
      device_clock(measures() && stream_device.info.timer_resolution_ns > 0 &&
                   may_be_profiled(adopted)),
      synchronous(environment("CLMX_SYNC").value_or("0") != "0"),
      paced(is_paced(stream_device.info)),
      queue(adopted() ? std::move(adopted) : new_queue(stream_device, device_clock)) {
  device.streams.add(*this);
  if (!device.in_use.exchange(true)) count_device_in_use();
}

StreamState::~StreamState() {
  const bool finished = !process_ends() && !dead && finish() == CL_SUCCESS;
  if (!finished) {
    leave_alone(std::move(queue));
    for (StreamKernel& kernel : kernels) leave_alone(std::move(kernel.object));
    endings.abandon();
    for (Staged& copy : staged) leave_alone(std::move(copy.bytes));
    for (Sample& sample : samples) leave_alone(std::move(sample.event));
    leave_alone(trace);
    device.streams.note_loss();
  } else if (trace) {
    trace->collect();
  }
  device.streams.remove(number, finished);
  if (!process_ends()) device.pool.release_held();
}

void StreamState::mark_completed(std::uint64_t done) {
  std::uint64_t before = completed;
  while (before < done && !completed.compare_exchange_weak(before, done)) {
  }
  device.kernels.launches_waited_for();
}

void StreamState::require_alive() {
  if (forked()) throw_forked();
  if (!dead) return;
  std::string why;
  {
    const std::unique_lock lock(mutex, std::try_to_lock);  // a failing driver may keep its caller
    why = lock && !loss.empty() ? loss : "its device failed before";
  }
  throw DeviceError(join("a stream of ", device.info.selector, " (", device.info.name,
                         ") cannot be used any more: ", why),
                    "clmx::Stream", 0, device.info.selector);
}

cl_int StreamState::finish() {
  std::uint64_t all = 0;
  {
    const std::lock_guard lock(mutex);
    all = sequence;
  }
  const cl_int status = finish_queue();
  if (status == CL_SUCCESS) mark_completed(all);
  return status;
}

cl_int StreamState::finish_queue() {
  // Some drivers' clFinish does not wait for what a flush before it handed over (rusticl 22.3):
  // what marks the end is waited for.
  cl::Event end;
  cl_int waited = queue.enqueueMarkerWithWaitList(nullptr, &end);
  if (waited == CL_SUCCESS) waited = wait_for(*this, end);
  if (waited == device_hung) {
    leave_alone(std::move(end));
    return waited;
  }
  const cl_int status = queue.finish();
  return status == CL_SUCCESS ? waited : status;
}

void StreamState::fail(std::string_view call, cl_int code) {
  if (code == device_hung) throw_hung();
  std::string detail;
  const std::lock_guard lock(mutex);
  if (last_launched != nullptr) {
    detail = join("the last kernel enqueued was ", last_launched->entry);
    if (!synchronous) detail += "; CLMX_SYNC=1 tells which one failed";
  }
  if (loses_device(code)) die(join(call, " failed before: ", describe_code(code), "; ", detail));
  throw_device_error(device.info, call, code, detail);
}

void StreamState::fail_waiting(std::string_view call, cl_int code) {
  if (code != device_hung) {
    const std::lock_guard lock(mutex);
    die(join(call, " failed before: ", describe_code(code)));
  }
  fail(call, code);
}

void StreamState::die(std::string why) {
  if (loss.empty()) loss = std::move(why);
  device.streams.note_loss();
  if (!dead.exchange(true)) ++device.losses;
}

void StreamState::throw_hung() {
  const std::string suspects = device.streams.suspects();
  const double seconds = std::chrono::duration<double>(hang_limit()).count();
  const std::string why = join("it completed nothing for ", seconds, " s; ",
                               suspects.empty() ? "no kernel was enqueued"
                                                : join("the kernel at work is one of: ", suspects));
  {
    const std::lock_guard lock(mutex);
    die(join("the device hung: ", why));
  }
  throw DeviceHung(join(device.info.selector, " (", device.info.name, ") hangs: ", why),
                   "clmx::Stream", 0, device.info.selector);
}

Device Stream::device() const {
  return Device(&state_->device);
}

void Stream::synchronize() const {
  state_->require_alive();
  const TraceScope waiting("synchronize");
  std::shared_ptr<ErrorReport> report;
  {
    const std::lock_guard lock(state_->mutex);
    report = state_->reports.enqueue_read(state_->queue);
  }
  const cl_int status = state_->finish();
  if (status != CL_SUCCESS) {
    if (report) state_->reports.give_up(std::move(report), state_->mutex);
    state_->fail_waiting("clFinish", status);
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->drop_completed();
  }
  state_->device.pool.release_held();
  throw_if_reported(*state_, report);
}

void Stream::flush() const {
  state_->require_alive();
  const cl_int status = state_->queue.flush();
  if (status != CL_SUCCESS) state_->fail("clFlush", status);
}

void StreamState::drop_completed() {
  while (!staged.empty() && staged.front().sequence <= completed) staged.pop_front();
  trail.drop_until(completed);
  endings.drop_until(completed);
}

bool is_alive(const Stream& stream) {
  return !stream.state()->dead;
}

}  // namespace clmx
