#pragma once

#include <cstdint>
#include <string>

namespace clmx::cli {

/// A line on stderr that is written over and over; nothing where stderr is no terminal. Goes away
/// at the end.
class ProgressBar {
 public:
  ProgressBar(std::string title, bool shown);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar();
  void show(std::uint64_t done, std::uint64_t total);

 private:
  std::string title_;
  bool shown_;
  int percent_ = -1;
};

}  // namespace clmx::cli
