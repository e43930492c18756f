#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "clmx/devices/device.hpp"
#include "clmx/devices/self_check.hpp"

namespace clmx {

/// What a selector names: a device, or a sub-device of that many compute units.
struct Selection {
  std::size_t device = 0;  ///< the index into the devices given
  int units = 0;           ///< 0: the whole device
  bool operator==(const Selection&) const = default;
};

/// Selection as a pure function, for tests without hardware; `devices` must be in the stable order.
///
///   item := alias[:n][/units] | type[:n][/units] | p.d[/units] | id=HEX[/units] |
///           name~TEXT[/units]
///
/// In name~TEXT a final /number belongs to TEXT where a device's name contains it. /units asks for
/// a sub-device: it must be 1 or more and at most the device's compute units, and the device must
/// offer division by counts; all of the compute units are the device itself. Throws DeviceNotFound
/// with the reason and the candidates.
Selection select_one(std::span<const DeviceInfo> devices, std::string_view selector);
/// A comma-separated list of the above, or "all"; duplicates are dropped. Never empty.
std::vector<Selection> select_several(std::span<const DeviceInfo> devices,
                                      std::string_view selectors);

/// The sub-device of `units` compute units; device itself where these are all. One per device,
/// units and process, not listed in Device::all(): a device of its own with its own context, pool
/// and streams, whose info is the device's but for compute_units, id ("<id>/units") and selector
/// ("pocl:0/units"). Throws DeviceNotFound, before any call of the driver, where it cannot be made.
Device sub_device(const Device& device, int units);

/// What is taken where nobody names a device, and what was passed over for it.
struct DefaultChoice {
  std::optional<std::size_t> device;  ///< the index into the devices given; absent: none is left
  std::vector<DeviceProblem> passed_over;
};
/// The first device whose self-check did not go wrong; one without a verdict is not suspected.
/// `devices` in the stable order, a verdict for each. Pure.
DefaultChoice choose_default(std::span<const DeviceInfo> devices,
                             std::span<const std::optional<SelfCheck>> verdicts);

/// What default_device() passes over where neither set_default_device nor CLMX_DEVICE names one:
/// the devices of the better places in Device::all() whose stored self-check went wrong. Decided at
/// the first call of either function, for the rest of the process. With CLMX_STRICT
/// default_device() throws DeviceNotFound instead of passing one over.
std::span<const DeviceProblem> default_passed_over();

}  // namespace clmx
