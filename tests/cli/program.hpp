#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/temp_folder.hpp"

namespace clmx {

/// How a run of the program ended and what it wrote.
struct Ended {
  int status = -1;  ///< exit status; 128 + signal when one ended it
  std::string out, err;
};

/// One run of the program, its output kept in files.
class Program {
 public:
  std::map<std::string, std::string> environment;  ///< added to this process's own
  std::string input;

  Ended run(const std::vector<std::string>& arguments) {
    start(arguments);
    return wait();
  }
  void start(const std::vector<std::string>& arguments) {
    folder_.write("in", input);
    process_ = fork();
    if (process_ == 0) become(arguments);
  }
  void signal(int number) const { kill(process_, number); }
  /// Whether something was written to stdout within the time.
  bool wrote_within(std::chrono::seconds limit) const {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < end) {
      if (!content_of(folder_ / "out").empty()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }
  Ended wait() const {
    int status = 0;
    waitpid(process_, &status, 0);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return {code, content_of(folder_ / "out"), content_of(folder_ / "err")};
  }

 private:
  void redirect(const char* file, int flags, int to) const {
    const int from = open((folder_ / file).c_str(), flags, 0600);
    if (from < 0 || dup2(from, to) < 0) _exit(126);
  }
  [[noreturn]] void become(const std::vector<std::string>& arguments) const {
    redirect("in", O_RDONLY, STDIN_FILENO);
    redirect("out", O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
    redirect("err", O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> argv = {const_cast<char*>(CLMX_PROGRAM)};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.data()));
    argv.push_back(nullptr);
    execv(CLMX_PROGRAM, argv.data());
    _exit(127);
  }

  TempFolder folder_;
  pid_t process_ = -1;
};

}  // namespace clmx
