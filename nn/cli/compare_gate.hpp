#pragma once

#include <string>
#include <vector>

#include "verify_golden.hpp"

namespace clmx::cli {

/// Gathers what is not as it was asked for.
class Gate {
 public:
  /// Says why on stderr.
  void refuse(const std::string& why);
  /// Refuses fewer devices than wanted, and results that no kernel made.
  void check_devices(std::size_t compared, std::size_t wanted);
  int exit_status() const;
  /// For to_junit: one case, which fails when anything was refused.
  DeviceResult as_verified() const;

 private:
  std::vector<std::string> refusals_;
};

}  // namespace clmx::cli
