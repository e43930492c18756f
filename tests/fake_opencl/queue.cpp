#include "queue.hpp"

#include <chrono>

#include "faults.hpp"

namespace fake {

std::uint64_t device_clock() {
  constexpr std::uint64_t ahead_ns = 5'000'000'000;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count()) + ahead_ns;
}

}  // namespace fake

_cl_command_queue::_cl_command_queue(cl_context of, cl_command_queue_properties with)
    : Object(&fake::live().queues), context(of), properties(with) {
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
  return fake::lost() ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
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
  const fake::Fate fate = fake::next_fate();
  fake::wait_until([&] { return fate != fake::Fate::hangs; });
  const std::uint64_t start = fake::device_clock();
  if (fate == fake::Fate::runs && command.run) command.run();
  if (command.event.get() == nullptr) return;
  command.event->queued = command.queued;
  command.event->start = fake::settings().lies ? 1 : start;
  command.event->end = fake::device_clock();
  command.event->status.store(fate == fake::Fate::runs ? CL_COMPLETE : CL_OUT_OF_RESOURCES,
                              std::memory_order_release);
}
