#include "hung_device.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "clmx/devices/failure.hpp"
#include "exit_code.hpp"

namespace clmx::cli {

void limit_hangs() {
  const std::string text = environment("CLMX_HANG_LIMIT").value_or("20");
  const char* const end = text.data() + text.size();
  unsigned seconds = 0;
  const auto [rest, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc() || rest != end) {
    throw UsageError("CLMX_HANG_LIMIT must be a number of seconds, not '" + text + "'");
  }
  set_hang_limit(std::chrono::seconds(seconds));
}

void leave(int status) {
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  if (any_device_hung()) std::_Exit(status == 0 ? static_cast<int>(ExitCode::device) : status);
  std::quick_exit(status);
}

}  // namespace clmx::cli
