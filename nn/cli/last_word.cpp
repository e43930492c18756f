#include "last_word.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "exit_code.hpp"

namespace clmx::cli {
namespace {

std::atomic<bool> expected{false};

// Safe in a signal handler.
[[noreturn]] void leave(std::string_view words) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, words.data(), words.size());
  ::_exit(static_cast<int>(ExitCode::device));
}

extern "C" void on_abort(int) {
  leave(
      "clmx: the process was aborted from inside, most likely by a driver (see above); "
      "'clmx doctor' tells what drivers lack\n");
}

extern "C" void on_exit_of_process() {
  if (expected) return;
  leave(
      "clmx: a driver ended the process (see above); 'clmx doctor' tells what drivers lack, such "
      "as space for their caches\n");
}

}  // namespace

void explain_unexpected_ends() {
  struct sigaction action = {};
  action.sa_handler = on_abort;
  sigemptyset(&action.sa_mask);
  sigaction(SIGABRT, &action, nullptr);
  std::atexit(on_exit_of_process);
}

void end_is_expected() {
  expected = true;
}

}  // namespace clmx::cli
