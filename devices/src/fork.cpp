#include "fork.hpp"

#include <pthread.h>

#include <atomic>

#include "clmx/devices/failure.hpp"

namespace clmx {
namespace {

std::atomic<bool> in_child{false};

}  // namespace

void watch_forks() {
  pthread_atfork(nullptr, nullptr, [] { in_child = true; });
}

bool forked() {
  return in_child.load(std::memory_order_relaxed);
}

void throw_forked() {
  throw ForkedProcess(
      "OpenCL was used before this process was forked, and drivers do not survive that: start "
      "child "
      "processes before the first use of a device, or run another program",
      "fork", 0, "");
}

}  // namespace clmx
