#include <array>
#include <map>
#include <mutex>

#include "cl_error.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/devices/selection.hpp"
#include "device_state.hpp"
#include "foreign_devices.hpp"
#include "select.hpp"

namespace clmx {
namespace {

/// All sub-devices of the process. Never destroyed, as devices are.
struct SubDevices {
  std::mutex mutex;
  std::map<std::pair<DeviceState*, int>, std::unique_ptr<DeviceState>> states;
};

SubDevices& sub_devices() {
  static auto* const made = new SubDevices;
  return *made;
}

cl::Device divided(const DeviceState& parent, int units) {
  const std::array<cl_device_partition_property, 4> properties{
      CL_DEVICE_PARTITION_BY_COUNTS, units, CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0};
  cl_device_id part = nullptr;
  cl_uint count = 0;
  check(clCreateSubDevices(parent.device(), properties.data(), 1, &part, &count), parent.info,
        "clCreateSubDevices");
  return cl::Device(part);
}

DeviceInfo info_of_part(DeviceInfo info, int units) {
  info.id += join('/', units);
  info.selector += join('/', units);
  info.compute_units = units;
  info.max_sub_devices = 0;
  return info;
}

}  // namespace

Device sub_device(const Device& device, int units) {
  DeviceState& parent = *device.state();
  const std::string refusal = sub_device_refusal(parent.info, units);
  if (!refusal.empty()) throw DeviceNotFound(refusal);
  if (units == parent.info.compute_units) return device;

  SubDevices& all = sub_devices();
  const std::lock_guard lock(all.mutex);
  std::unique_ptr<DeviceState>& state = all.states[{&parent, units}];
  if (!state) {
    state = std::make_unique<DeviceState>(info_of_part(parent.actual, units),
                                          info_of_part(parent.info, units), divided(parent, units));
  }
  return Device(state.get());
}

std::vector<DeviceState*> all_device_states() {
  std::vector<DeviceState*> states = foreign_device_states();
  for (const auto& state : devices().states) states.push_back(state.get());
  SubDevices& parts = sub_devices();
  const std::lock_guard lock(parts.mutex);
  for (const auto& [_, state] : parts.states) {
    if (state) states.push_back(state.get());
  }
  return states;
}

}  // namespace clmx
