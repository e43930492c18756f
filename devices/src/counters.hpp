#pragma once

#include <atomic>
#include <cstdint>

namespace clmx {

/// What build_stats() and transfer_stats() report; one set per process.
struct Counters {
  std::atomic<std::uint64_t> compiled{0}, loaded{0}, launches{0}, build_nanoseconds{0};
  std::atomic<std::uint64_t> pieces{0};  ///< launches of parts of a grid; see pacing.hpp
  std::atomic<std::uint64_t> uploads{0}, downloads{0}, uploaded_bytes{0}, downloaded_bytes{0};
};
Counters& counters();

}  // namespace clmx
