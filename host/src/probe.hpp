#pragma once

#include "clmx/devices/device.hpp"

namespace clmx {

/// What a device's arithmetic and compiler do, found by trying it, since what they report is not
/// reliable. Tried once per device and process, when first asked for.
struct DeviceAbilities {
  /// f32 division rounds to nearest even, denormal results and operands included, and products keep
  /// denormals: what MLX's formats need to the bit.
  bool exact_division = false;
  bool exact_denormals = false;
};
const DeviceAbilities& abilities(const Device& device);

}  // namespace clmx
