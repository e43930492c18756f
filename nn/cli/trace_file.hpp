#pragma once

#include <functional>
#include <string>

namespace clmx::cli {

/// Runs a command and writes what it traced to `path`, in Chrome's trace format (also read by
/// Perfetto): also when the command throws, or when SIGINT or SIGTERM ends the process. Returns the
/// command's exit status. Throws std::runtime_error, before the command starts where that can be
/// known, when the file cannot be written.
int run_traced(const std::string& path, const std::string& command,
               const std::function<int()>& run);

}  // namespace clmx::cli
