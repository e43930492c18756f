#pragma once

#include <optional>
#include <string>
#include <vector>

#include "clmx/devices/self_check.hpp"
#include "json_output.hpp"
#include "numerics_report.hpp"

namespace clmx::cli {

/// All that `clmx devices` shows of a device.
struct DeviceReport {
  Device device;
  SelfCheck check;
  bool benched = false;
  std::optional<Numerics> numerics;
  std::string trouble;  ///< why it was not measured
};

/// Tokens a second that the device's speed allows the default model, SmolLM2-135M as Q4_1: every
/// weight is read once for each token. 0 where the speed is not known.
double default_model_tokens_per_s(const DeviceSpeed& speed);

Json described(const DeviceReport& report);

/// The tables for stdout: the devices, a * at the default one; with --bench their speed.
void print_devices(const std::vector<DeviceReport>& reports);
void print_speeds(const std::vector<DeviceReport>& reports);

/// "ok 63/63", "quick 1/1", "failed 60/63".
std::string in_short(const SelfCheck& check);

/// A sentence where another device would answer faster than the default one, else "".
std::string faster_than_default(const std::vector<DeviceReport>& reports);

}  // namespace clmx::cli
