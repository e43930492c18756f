#pragma once

#include <vector>

namespace clmx {

struct DeviceState;

/// Of the devices in contexts that somebody else made.
std::vector<DeviceState*> foreign_device_states();

}  // namespace clmx
