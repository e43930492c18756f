#pragma once

#include <algorithm>
#include <vector>

#include "clmx/devices/device.hpp"

namespace clmx {

/// The devices that tests run on: the selector list CLMX_TEST_DEVICES, else all of them. Where
/// devices pretend to be others, without the emulated ones, which are no faster for it; unless
/// there are only those. Throws DeviceNotFound when one that is asked for is missing.
inline std::vector<Device> test_devices() {
  const auto selectors = environment("CLMX_TEST_DEVICES");
  std::vector<Device> devices =
      selectors ? Device::select_list(*selectors)
                : std::vector<Device>(Device::all().begin(), Device::all().end());
  const auto needlessly_slow = [](const Device& device) {
    return !device.info().pretends.empty() && device.info().native_float_width == 1;
  };
  if (!std::all_of(devices.begin(), devices.end(), needlessly_slow))
    std::erase_if(devices, needlessly_slow);
  return devices;
}

}  // namespace clmx
