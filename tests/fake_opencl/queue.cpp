#include "queue.hpp"

#include <chrono>

namespace fake {

std::uint64_t device_clock() {
  constexpr std::uint64_t ahead_ns = 5'000'000'000;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count()) + ahead_ns;
}

}  // namespace fake

_cl_command_queue::_cl_command_queue(cl_context of, cl_command_queue_properties with)
    : context(of),
      properties(with),
      losses_before(of->device->misbehaviour.losses.load(std::memory_order_relaxed)) {
  context->retain();
  worker_ = std::thread([this] { work(); });
}

_cl_command_queue::~_cl_command_queue() {
  finish();
  ends_.store(true, std::memory_order_release);
  worker_.join();
  fake::release(context);
}

void _cl_command_queue::enqueue(std::unique_ptr<fake::Command> command) {
  command->queued = fake::device_clock();
  const std::uint64_t ticket = enqueued_.fetch_add(1, std::memory_order_relaxed);
  std::atomic<fake::Command*>& slot = ring_[ticket % slots];
  fake::wait_until([&] {
    return done_.load(std::memory_order_relaxed) + slots > ticket &&
           slot.load(std::memory_order_relaxed) == nullptr;
  });
  slot.store(command.release(), std::memory_order_release);
}

cl_int _cl_command_queue::finish() const {
  const std::uint64_t all = enqueued_.load(std::memory_order_relaxed);
  fake::wait_until([&] { return done_.load(std::memory_order_acquire) >= all; });
  return lost() ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
}

bool _cl_command_queue::lost() const {
  return context->device->misbehaviour.losses.load(std::memory_order_relaxed) != losses_before;
}

void _cl_command_queue::work() {
  for (std::uint64_t next = 0;; ++next) {
    std::atomic<fake::Command*>& slot = ring_[next % slots];
    fake::Command* taken = nullptr;
    fake::wait_until([&] {
      taken = slot.load(std::memory_order_acquire);
      return taken != nullptr || ends_.load(std::memory_order_acquire);
    });
    if (taken == nullptr) return;
    const std::unique_ptr<fake::Command> command(taken);
    slot.store(nullptr, std::memory_order_relaxed);
    execute(*command);
    done_.store(next + 1, std::memory_order_release);
  }
}

void _cl_command_queue::execute(fake::Command& command) const {
  for (const auto& event : command.after) {
    fake::wait_until([&] { return event->status.load(std::memory_order_acquire) <= CL_COMPLETE; });
  }
  if (command.event.get() != nullptr) command.event->reach(CL_SUBMITTED);
  const fake::Misbehaviour& told = context->device->misbehaviour;
  fake::wait_until([&] { return lost() || !told.hangs.load(std::memory_order_relaxed); });
  const std::uint64_t start = fake::device_clock();
  const bool runs = !lost();
  if (runs && command.run) command.run();
  if (command.event.get() == nullptr) return;
  command.event->queued = command.queued;
  command.event->start = told.lies.load(std::memory_order_relaxed) ? 1 : start;
  command.event->end = fake::device_clock();
  command.event->reach(runs ? CL_COMPLETE : CL_OUT_OF_RESOURCES);
}

bool _cl_event::add(const Callback& callback) {
  auto held = std::make_unique<Callback>(callback);
  for (Slot& slot : slots) {
    Callback* empty = nullptr;
    if (!slot.callback.compare_exchange_strong(empty, held.get())) continue;
    static_cast<void>(held.release());
    call_back(status);
    return true;
  }
  return false;
}

void _cl_event::reach(cl_int stage) {
  status = stage;
  call_back(stage);
}

// By the queue's thread, and by the one that adds a callback late: the first to mark it calls it.
void _cl_event::call_back(cl_int stage) {
  for (Slot& slot : slots) {
    const Callback* const waiting = slot.callback;
    if (waiting == nullptr || waiting->stage < stage || slot.called.exchange(true)) continue;
    waiting->call(this, stage, waiting->data);
  }
}
