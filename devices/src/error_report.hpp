#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "clmx/devices/buffer.hpp"
#include "opencl.hpp"

namespace clmx {

struct StreamState;

/// What kernels write: the words of an error word.
struct ReportedIndex {
  std::int32_t code = 0, unused = 0;
  std::int64_t index = 0, count = 0;
};

/// A read of the word. Threads may read it twice before one of them clears it: `clears` tells.
struct ErrorReport {
  ReportedIndex seen;
  std::uint64_t clears = 0;
};

/// A stream's error word. Guarded by the stream's mutex.
class ErrorReports {
 public:
  /// Enqueues a read of the word before that of the data, when a launch may have reported
  /// something since the last one; null otherwise. The report is there once later work is done.
  std::shared_ptr<ErrorReport> enqueue_read(cl::CommandQueue& queue);
  /// The read or what came after it failed: the next one looks again. Takes the stream's mutex.
  void give_up(std::shared_ptr<ErrorReport> report, std::mutex& mutex);
  /// What stands for the op; made at first use.
  std::int32_t code_of(std::string_view op);
  const std::string& op_of(std::int32_t code) const;

  Buffer word;  ///< empty before the first use
  bool pending = false;
  std::uint64_t clears = 0;

 private:
  std::vector<std::string> ops_;
};

/// Clears the word and throws ArgumentError if `report` says that an index was out of range and no
/// other thread was told so meanwhile.
void throw_if_reported(StreamState& stream, const std::shared_ptr<ErrorReport>& report);

}  // namespace clmx
