#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "clmx/devices/device.hpp"

namespace clmx {

/// What a device reads and what a kernel costs it; 0: not measured.
struct DeviceSpeed {
  double stream_bytes_per_s = 0;  ///< reading a buffer larger than its caches
  double launch_s = 0;            ///< one kernel that does nothing, among many
};

enum class SelfCheckStatus { not_run, ok, failed, crashed, hung };
std::string_view to_string(SelfCheckStatus status);

/// What a self-check of a device found: the process that ran it may have crashed or hung instead.
struct SelfCheck {
  SelfCheckStatus status = SelfCheckStatus::not_run;
  bool full = false;                       ///< every case; otherwise the probes and the quick cases
  int passed = 0, total = 0;               ///< cases
  std::vector<std::string> failures = {};  ///< "case: what is wrong", the first few
  std::set<std::string> features = {};     ///< optional abilities that a probe has proved
  DeviceSpeed speed = {};

  /// A device that must not be chosen unless the user names it.
  bool is_bad() const {
    return status != SelfCheckStatus::not_run && status != SelfCheckStatus::ok;
  }
};

/// "failed its self-check (58 of 60 cases passed; first: add/f32: ...)", for messages.
std::string describe(const SelfCheck& check);

/// The verdict kept for this device in the folder of compiled kernels, or nothing: none, one of
/// another driver, processor, version of clmx, CLMX_PRETEND or CLMX_KERNEL_DIR, or one that is odd
/// in any way. Costs a read of a small file.
std::optional<SelfCheck> stored_self_check(const DeviceInfo& device);

/// Keeps the verdict: written under a temporary name, synced and renamed. Where nothing can be
/// written (CLMX_CACHE=off writes nothing) this process alone remembers it.
void store_self_check(const DeviceInfo& device, const SelfCheck& check);

/// As store_self_check, but for this process only.
void remember_self_check(const DeviceInfo& device, const SelfCheck& check);

/// Held by the process that checks a device, so that the others wait for its verdict: sixteen that
/// start at once check once, and none takes the others' load for a hung device. Waits for its turn;
/// without a folder of compiled kernels there is no waiting. Ends with the process.
class SelfCheckTurn {
 public:
  SelfCheckTurn();
  SelfCheckTurn(const SelfCheckTurn&) = delete;
  SelfCheckTurn& operator=(const SelfCheckTurn&) = delete;
  ~SelfCheckTurn();

 private:
  int folder_ = -1;
};

/// The text of a verdict, a line for each fact, and back. Nothing for text that encode would not
/// give.
std::string encode(const SelfCheck& check);
std::optional<SelfCheck> decode_self_check(std::string_view text);

/// All that a verdict depends on.
std::string self_check_key(const DeviceInfo& device);

}  // namespace clmx
