#pragma once

#include <chrono>

namespace clmx {

/// The clock of measured durations: it never goes back.
using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace clmx
