#include "interrupt.hpp"

#include <unistd.h>

#include <csignal>

#include "exit_code.hpp"

namespace clmx::cli {
namespace {

volatile std::sig_atomic_t signals = 0;

extern "C" void on_interrupt(int) {
  if (signals != 0) _exit(static_cast<int>(ExitCode::interrupted));
  signals = 1;
}

}  // namespace

void watch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() {
  return signals != 0;
}

}  // namespace clmx::cli
