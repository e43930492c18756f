#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "clmx/devices/trace.hpp"

namespace clmx {

class StreamTrace;

/// What is recorded, of the whole process. Never destroyed.
class TraceRecorder {
 public:
  static TraceRecorder& instance();

  std::int64_t now() const;
  /// The calling thread's track.
  std::uint32_t host_track();
  std::uint32_t new_track(std::string device, std::string name);
  /// The text for good.
  std::string_view keep(std::string_view text);
  void add(const TraceEvent& event);
  void add_unfinished(std::uint64_t count);
  /// A stream's recording, fetched from at the end.
  void join(const std::shared_ptr<StreamTrace>& stream);
  std::vector<std::shared_ptr<StreamTrace>> streams();
  /// What was recorded; the tracks stay.
  Trace take();

 private:
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::vector<std::weak_ptr<StreamTrace>> streams_;
  std::set<std::string, std::less<>> texts_;
  std::uint32_t threads_ = 0;
  Trace trace_;
};

}  // namespace clmx
