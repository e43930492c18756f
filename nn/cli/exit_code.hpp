#pragma once

#include <exception>
#include <stdexcept>

namespace clmx::cli {

/// What the program's exit status means to a script; 128 + signal: see interrupted_status.
enum class ExitCode : int {
  ok = 0,
  other = 1,
  usage = 2,
  device = 3,
  model = 4,
  memory = 5,
  gate = 6
};

/// A wrong use of the command line that the parser cannot see.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The code for the exception being handled, after writing its message to stderr. Call in a catch
/// block.
ExitCode report_current_exception();

}  // namespace clmx::cli
