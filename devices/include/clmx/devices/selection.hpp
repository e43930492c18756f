#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "clmx/devices/device.hpp"

namespace clmx {

/// Selection as a pure function, for tests without hardware: the index into `devices` that the
/// selector names (they must be in the stable order). Throws DeviceNotFound.
std::size_t select_index(std::span<const DeviceInfo> devices, std::string_view selector);
std::vector<std::size_t> select_indices(std::span<const DeviceInfo> devices,
                                        std::string_view selectors);

}  // namespace clmx
