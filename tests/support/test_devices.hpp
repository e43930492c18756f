#pragma once

#include <vector>

#include "clmx/devices/device.hpp"

namespace clmx {

/// The devices that tests run on: the selector list CLMX_TEST_DEVICES, else all of them.
/// Throws DeviceNotFound when one that is asked for is missing.
inline std::vector<Device> test_devices() {
  if (const auto selectors = environment("CLMX_TEST_DEVICES")) {
    return Device::select_list(*selectors);
  }
  return {Device::all().begin(), Device::all().end()};
}

}  // namespace clmx
