#include "clmx/devices/stream.hpp"

#include <algorithm>

#include "cl_error.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

bool loses_device(cl_int code) {
  return code == CL_DEVICE_NOT_AVAILABLE || code == CL_OUT_OF_RESOURCES ||
         code == CL_INVALID_COMMAND_QUEUE;
}

cl::CommandQueue new_queue(DeviceState& device, bool device_clock) {
  cl_int status = CL_SUCCESS;
  const cl_command_queue_properties properties = device_clock ? CL_QUEUE_PROFILING_ENABLE : 0;
  cl::CommandQueue queue(device.context(), device.device, properties, &status);
  check(status, device.info, "clCreateCommandQueue");
  return queue;
}

}  // namespace

StreamState::StreamState(DeviceState& stream_device, StreamOptions options)
    : device(stream_device),
      number(stream_device.streams.reserve()),
      trace(StreamTrace::start(stream_device.info, number)),
      profiling(options.profiling),
      device_clock(measures() && stream_device.info.timer_resolution_ns > 0),
      synchronous(environment("CLMX_SYNC").value_or("0") != "0"),
      paced(is_paced(stream_device.info)),
      queue(new_queue(stream_device, device_clock)) {
  device.streams.add(*this);
}

StreamState::~StreamState() {
  if (process_ends() || dead) {
    leave_alone(std::move(queue));
    for (StreamKernel& kernel : kernels) leave_alone(std::move(kernel.object));
    for (Staged& copy : staged) leave_alone(std::move(copy.bytes));
    leave_alone(trace);
  } else {
    finish();
    if (trace) trace->collect();
  }
  device.streams.remove(number);
  if (!process_ends()) device.pool.release_held();
}

void StreamState::mark_completed(std::uint64_t done) {
  std::uint64_t before = completed;
  while (before < done && !completed.compare_exchange_weak(before, done)) {
  }
  device.kernels.launches_waited_for();
}

void StreamState::require_alive() const {
  if (!dead) return;
  throw DeviceError(join("a stream of ", device.info.selector,
                         " cannot be used any more: its device failed before"),
                    "clmx::Stream", 0, device.info.selector);
}

cl_int StreamState::finish() {
  std::uint64_t all = 0;
  {
    const std::lock_guard lock(mutex);
    all = sequence;
  }
  // Some drivers' clFinish does not wait for what a flush before it handed over (rusticl 22.3): what
  // marks the end is waited for.
  cl::Event end;
  cl_int status = queue.enqueueMarkerWithWaitList(nullptr, &end);
  const cl_int waited = status == CL_SUCCESS ? end.wait() : status;
  status = queue.finish();
  if (status == CL_SUCCESS) status = waited;
  if (status == CL_SUCCESS) mark_completed(all);
  return status;
}

void StreamState::fail(std::string_view call, cl_int code) {
  if (loses_device(code)) dead = true;
  std::string detail;
  const std::lock_guard lock(mutex);
  if (last_launched != nullptr) {
    detail = join("the last kernel enqueued was ", last_launched->entry);
    if (!synchronous) detail += "; CLMX_SYNC=1 tells which one failed";
  }
  throw_device_error(device.info, call, code, detail);
}

Device Stream::device() const {
  return Device(&state_->device);
}

void Stream::synchronize() const {
  state_->require_alive();
  const TraceScope waiting("synchronize");
  const cl_int status = state_->finish();
  if (status != CL_SUCCESS) state_->fail("clFinish", status);
  {
    const std::lock_guard lock(state_->mutex);
    state_->drop_staged();
  }
  state_->device.pool.release_held();
}

void Stream::flush() const {
  state_->require_alive();
  const cl_int status = state_->queue.flush();
  if (status != CL_SUCCESS) state_->fail("clFlush", status);
}

void StreamState::drop_staged() {
  while (!staged.empty() && staged.front().sequence <= completed) staged.pop_front();
}

}  // namespace clmx
