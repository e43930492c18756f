#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace clmx {

/// A program started with a pipe on descriptor 3, its standard streams on /dev/null. The destructor
/// kills it if it still runs.
class ChildProcess {
 public:
  static constexpr int report_descriptor = 3;

  ChildProcess(const std::string& program, const std::vector<std::string>& arguments);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();
  bool started() const { return process_ > 0; }

  /// The next line it wrote, without the newline. Nothing at the end of what it writes, or when
  /// nothing comes within the limit: then timed_out().
  std::optional<std::string> line(double limit_s);
  bool timed_out() const { return timed_out_; }

  /// Waits for its end, at most that long, then kills it. "ended with status 1", "was ended by
  /// signal 11 (Segmentation fault)".
  std::string end(double limit_s);

 private:
  pid_t process_ = -1;
  int from_ = -1;
  bool timed_out_ = false;
  std::string unread_;
};

}  // namespace clmx
