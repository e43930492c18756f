#pragma once

#include <string>

#include "clmx/devices/doctor.hpp"

namespace clmx {

/// Throws DeviceError with the cure when the device's driver lacks what it needs to compile the
/// kernel `entry`, and would end the process instead of failing.
void require_able_to_compile(const DeviceInfo& device, const std::string& entry);

/// Why a platform offers no devices, as far as it is known; else "".
std::string reason_for_no_devices(const std::string& platform);

}  // namespace clmx
