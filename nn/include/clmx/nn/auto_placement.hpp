#pragma once

#include <string>
#include <vector>

#include "clmx/nn/placement.hpp"

namespace clmx {

/// A piece of a model that stays together, and the device memory it takes.
struct PlacementUnit {
  std::vector<std::string> patterns;  ///< the parts that it stands for
  std::size_t bytes = 0;              ///< weights, and the cache of its positions
  std::size_t largest_bytes = 0;      ///< the largest single allocation among them
};

/// What placing has to know of a device.
struct PlacementDevice {
  StreamOrDevice where;
  std::string name;                      ///< for messages
  double bytes_per_s = 0;                ///< measured reading speed
  std::size_t memory_bytes = 0;          ///< free
  std::size_t max_allocation_bytes = 0;  ///< 0: no limit known
};

/// Of a device's memory, what is left for activations, kernels and other programs.
std::size_t reserve_bytes(std::size_t memory_bytes);

/// Puts the units, which are computed one after the other, on as few devices as hold them, the
/// fastest first: a token passes through all units in turn, so a second device never makes it
/// faster, it only holds what the first one cannot. Each device gets units that follow each other,
/// but for one that a device has memory for and cannot allocate in one piece: that unit alone goes
/// to a slower one. Throws OutOfMemory, saying what was needed and what was there, when they do not
/// fit, and ArgumentError without a device.
Placement place_by_speed(const std::vector<PlacementUnit>& units,
                         std::vector<PlacementDevice> devices);

}  // namespace clmx
