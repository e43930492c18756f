#pragma once

#include "clmx/devices/self_check.hpp"

namespace clmx {

/// Measures for about that many seconds: best of the passes over a buffer of up to 256 MiB (1/8 of
/// the device's memory and its largest allocation permitting), and the time of a launch in a row of
/// many. Throws DeviceError or OutOfMemory where the device cannot do even that.
DeviceSpeed measure_speed(const Device& device, double seconds);

/// The stored speed of the device; where there is none, measured for a quarter of a second and
/// stored with the verdict.
DeviceSpeed stored_or_measured_speed(const Device& device);

/// Tokens a second of a model that reads `bytes` and launches `launches` kernels for each token.
double estimated_tokens_per_s(const DeviceSpeed& speed, double bytes, double launches);

}  // namespace clmx
