#include "clmx/nn/auto_placement.hpp"

#include <algorithm>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

/// What may still be put on a device.
std::size_t usable_bytes(const PlacementDevice& device) {
  return device.memory_bytes - reserve_bytes(device.memory_bytes);
}

bool can_allocate(const PlacementDevice& device, const PlacementUnit& unit) {
  return device.max_allocation_bytes == 0 || unit.largest_bytes <= device.max_allocation_bytes;
}

[[noreturn]] void refuse(const std::vector<PlacementUnit>& units,
                         const std::vector<PlacementDevice>& devices, const PlacementUnit& first) {
  std::size_t needed = 0;
  for (const PlacementUnit& unit : units) needed += unit.bytes;
  std::string room;
  for (const PlacementDevice& device : devices) {
    room += join(room.empty() ? "" : ", ", device.name, ' ', usable_bytes(device));
  }
  throw OutOfMemory(join("the model needs ", needed, " bytes; the devices have room for ", room,
                         ": ", first.patterns.front(), " (", first.bytes,
                         " bytes, the largest allocation ", first.largest_bytes,
                         ") finds no place"));
}

}  // namespace

std::size_t reserve_bytes(std::size_t memory_bytes) {
  constexpr std::size_t least = std::size_t{128} << 20;
  return std::min(memory_bytes, std::max(memory_bytes / 10, least));
}

Placement place_by_speed(const std::vector<PlacementUnit>& units,
                         std::vector<PlacementDevice> devices) {
  require(!devices.empty(), "place_by_speed", "there is no device");
  std::ranges::stable_sort(devices, std::ranges::greater(), &PlacementDevice::bytes_per_s);
  std::vector<std::size_t> left(devices.size());
  std::ranges::transform(devices, left.begin(), usable_bytes);
  Placement placement;
  std::size_t current = 0;
  for (const PlacementUnit& unit : units) {
    std::size_t at = current;
    while (at < devices.size() && (unit.bytes > left[at] || !can_allocate(devices[at], unit))) ++at;
    if (at == devices.size()) refuse(units, devices, unit);
    if (can_allocate(devices[current], unit)) current = at;
    for (const std::string& pattern : unit.patterns) placement.add(pattern, devices[at].where);
    left[at] -= unit.bytes;
  }
  return placement;
}

}  // namespace clmx
