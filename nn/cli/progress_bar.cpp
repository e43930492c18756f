#include "progress_bar.hpp"

#include <unistd.h>

#include <iostream>

namespace clmx::cli {

ProgressBar::ProgressBar(std::string title, bool shown)
    : title_(std::move(title)), shown_(shown && isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (percent_ >= 0) std::cerr << "\r\033[K" << std::flush;
}

void ProgressBar::show(std::uint64_t done, std::uint64_t total) {
  const int percent = total == 0 ? 100 : static_cast<int>(done * 100 / total);
  if (!shown_ || percent == percent_) return;
  percent_ = percent;
  const auto filled = static_cast<std::size_t>(percent / 4);
  std::cerr << '\r' << title_ << " [" << std::string(filled, '#') << std::string(25 - filled, ' ')
            << "] " << percent << " %" << std::flush;
}

}  // namespace clmx::cli
