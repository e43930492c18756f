#pragma once

#include <string>

#include "clmx/devices/device.hpp"
#include "opencl.hpp"

namespace clmx {

/// All that a device says of itself; what depends on its platform is left to the caller.
/// A property that the driver refuses keeps its default.
DeviceInfo read_device_info(const cl::Device& device);

/// How kernels are chosen, from type, vector width and sub-groups.
DeviceClass device_class(const DeviceInfo& info);

/// The device's UUID, else its PCI address, else "": what stays the same across drivers' orders.
std::string hardware_address(const cl::Device& device);

/// Why a device cannot be used, or "".
std::string unusable_reason(const cl::Device& device);

}  // namespace clmx
