#pragma once

#include <memory>
#include <string>

#include "clmx/devices/device.hpp"
#include "program.hpp"

namespace clmx {

/// All that a binary depends on: cache format, platform, device, driver, the processor's features
/// where the device is a CPU, options and source.
std::string cache_key(const DeviceInfo& device, const ProgramRequest& request);

/// From the disk cache, else compiled. Throws KernelBuildError.
std::shared_ptr<ProgramState> load_or_compile(DeviceState& device, const ProgramRequest& request);

/// Writes the binary to the disk cache if launches in new shapes added to it.
void save_binary(ProgramState& program);

}  // namespace clmx
