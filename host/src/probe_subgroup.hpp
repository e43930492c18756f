#pragma once

#include "clmx/devices/device.hpp"

namespace clmx {

/// The OpenCL C version, as 120 for 1.2, in which kernels with sub-groups are built for the device:
/// the newest it speaks.
int subgroup_language(const DeviceInfo& device);

/// Builds and runs the kernel of cl/probe_subgroup.cl once and looks at its values. False when it
/// does not compile. A driver may end the process over it.
bool try_subgroup(const Device& device);

}  // namespace clmx
