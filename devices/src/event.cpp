#include "clmx/devices/event.hpp"

#include "cl_error.hpp"
#include "fork.hpp"
#include "stream_state.hpp"

namespace clmx {

EventState::~EventState() {
  if (process_ends() || (stream && stream->dead)) leave_alone(std::move(marker));
}

bool EventState::complete() {
  if (stream->completed >= sequence || stream->dead || forked()) return true;
  const cl::Event event = cl_event();
  cl_int execution = CL_QUEUED;
  check(event.getInfo(CL_EVENT_COMMAND_EXECUTION_STATUS, &execution), stream->device.info,
        "clGetEventInfo");
  if (execution == CL_COMPLETE) stream->mark_completed(sequence);
  return execution == CL_COMPLETE || execution < 0;
}

void EventState::wait() {
  if (stream->completed >= sequence) return;
  stream->require_alive();
  // The status of the event itself differs by driver after a failure: the wait's result counts.
  const cl_int status = wait_for(*stream, cl_event());
  if (status != CL_SUCCESS) stream->fail_waiting("clWaitForEvents", status);
  stream->mark_completed(sequence);
}

cl::Event EventState::cl_event() {
  const std::lock_guard lock(mutex);
  if (marker() == nullptr) {
    const std::lock_guard stream_lock(stream->mutex);
    check(stream->queue.enqueueMarkerWithWaitList(nullptr, &marker), stream->device.info,
          "clEnqueueMarkerWithWaitList");
    check(stream->queue.flush(), stream->device.info, "clFlush");
  }
  return marker;
}

bool Event::complete() const {
  return !state_ || state_->complete();
}

void Event::wait() const {
  if (state_) state_->wait();
}

Event Stream::record() const {
  state_->require_alive();
  auto event = std::make_shared<EventState>();
  event->stream = state_;
  const std::lock_guard lock(state_->mutex);
  event->sequence = state_->sequence;
  return Event(std::move(event));
}

void Stream::wait(const Event& event) const {
  EventState* const other = event.state();
  if (other == nullptr || other->stream == state_) return;
  const bool here = &other->stream->device == &state_->device;
  // What can never complete, as what has failed, throws.
  if (!here || other->stream->dead || other->complete()) return other->wait();
  state_->require_alive();
  const std::vector<cl::Event> events{other->cl_event()};
  const std::lock_guard lock(state_->mutex);
  check(state_->queue.enqueueBarrierWithWaitList(&events), state_->device.info,
        "clEnqueueBarrierWithWaitList");
}

}  // namespace clmx
