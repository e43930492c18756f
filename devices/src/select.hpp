#pragma once

#include <string>
#include <string_view>

#include "clmx/devices/device.hpp"

namespace clmx {

/// The short name of a platform by its CL_PLATFORM_NAME, e.g. "pocl"; empty for an unknown one.
std::string_view platform_alias(std::string_view platform);

/// Why the device has no sub-device of that many compute units, or "".
std::string sub_device_refusal(const DeviceInfo& info, int units);

}  // namespace clmx
