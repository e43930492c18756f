#pragma once

#include <array>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "objects.hpp"

namespace fake {

/// What a queue executes. `run` holds references to what it uses.
struct Command {
  std::function<void()> run;
  Ref<_cl_event> event;
  std::vector<Ref<_cl_event>> after;
  std::uint64_t queued = 0;
};

/// Nanoseconds of the device's clock, which is not the host's.
std::uint64_t device_clock();

/// Waits, in short sleeps, until `done` holds.
template <class Predicate>
void wait_until(Predicate done) {
  for (int tries = 0; !done(); ++tries) {
    std::this_thread::sleep_for(std::chrono::microseconds(tries < 1000 ? 10 : 200));
  }
}

}  // namespace fake

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): OpenCL's names
/// In order, executed by a thread of its own. Enqueueing publishes a command to that thread and to
/// nobody else.
struct _cl_command_queue : fake::Object {
  _cl_command_queue(cl_context of, cl_command_queue_properties with);
  ~_cl_command_queue();
  void enqueue(std::unique_ptr<fake::Command> command);
  /// Waits for what was enqueued before. CL_OUT_OF_RESOURCES when the queue is lost.
  cl_int finish() const;
  /// Whether the device was lost since the queue was made.
  bool lost() const;

  cl_context context;
  cl_command_queue_properties properties;
  const std::uint32_t losses_before;

 private:
  static constexpr std::size_t slots = 1024;
  void work();
  void execute(fake::Command& command) const;

  std::array<std::atomic<fake::Command*>, slots> ring_{};
  std::atomic<std::uint64_t> enqueued_{0}, done_{0};
  std::atomic<bool> ends_{false};
  std::thread worker_;
};
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
