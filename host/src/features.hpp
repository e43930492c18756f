#pragma once

#include <span>
#include <string_view>

#include "clmx/devices/device.hpp"

namespace clmx {

/// An optional ability of a device or its compiler that kernels use where it works; results never
/// depend on it. `works` builds and runs a small kernel and compares what comes out. It runs in the
/// process of a self-check only: a driver may end the process over it.
struct Feature {
  std::string_view name;
  bool (*may_work)(const DeviceInfo&);  ///< whether it is worth trying
  bool (*works)(const Device&);
};

/// All of them. A new one is a row here, and has_proved(device, name) where it is used.
std::span<const Feature> features();

}  // namespace clmx
