#include "child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "clmx/devices/error.hpp"

extern char** environ;

namespace clmx {
namespace {

using Clock = std::chrono::steady_clock;

Clock::time_point after(double seconds) {
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// Started by posix_spawn: a fork of a process that has used OpenCL copies threads' locks.
pid_t spawn(const std::string& program, const std::vector<std::string>& arguments, int report) {
  posix_spawn_file_actions_t actions;
  if (posix_spawn_file_actions_init(&actions) != 0) return -1;
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, report, ChildProcess::report_descriptor);
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t process = -1;
  const int error = posix_spawn(&process, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? process : -1;
}

std::string describe_status(int status) {
  if (WIFEXITED(status)) return join("ended with status ", WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  return join("was ended by signal ", number, " (", ::strsignal(number), ')');
}

}  // namespace

ChildProcess::ChildProcess(const std::string& program, const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
  from_ = ends[0];
  process_ = spawn(program, arguments, ends[1]);
  ::close(ends[1]);
}

ChildProcess::~ChildProcess() {
  if (process_ > 0) end(0);
  if (from_ >= 0) ::close(from_);
}

std::optional<std::string> ChildProcess::line(double limit_s) {
  const Clock::time_point limit = after(limit_s);
  while (true) {
    if (const std::size_t at = unread_.find('\n'); at != std::string::npos) {
      std::string found = unread_.substr(0, at);
      unread_.erase(0, at + 1);
      return found;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(limit - Clock::now());
    pollfd ready{from_, POLLIN, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(std::max<long>(left.count(), 0)));
    if (count < 0 && errno == EINTR) continue;
    timed_out_ = count == 0;
    if (count <= 0) return std::nullopt;
    std::array<char, 4096> bytes{};
    const ssize_t got = ::read(from_, bytes.data(), bytes.size());
    if (got <= 0) return std::nullopt;
    unread_.append(bytes.data(), static_cast<std::size_t>(got));
  }
}

std::string ChildProcess::end(double limit_s) {
  int status = 0;
  const Clock::time_point limit = after(limit_s);
  pid_t ended = 0;
  while ((ended = ::waitpid(process_, &status, WNOHANG)) == 0 && Clock::now() < limit) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  if (ended == 0) {
    ::kill(process_, SIGKILL);
    ended = ::waitpid(process_, &status, 0);
  }
  process_ = -1;
  return ended > 0 ? describe_status(status) : "could not be waited for";
}

}  // namespace clmx
