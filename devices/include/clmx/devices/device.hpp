#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "clmx/devices/kernel.hpp"
#include "clmx/devices/memory.hpp"

namespace clmx {

class Stream;
struct DeviceState;

enum class DeviceType { cpu, gpu, accelerator };

/// How kernels are chosen, found by capabilities and never by vendor name.
/// emulated: a CPU device with native float vector width 1 (a software rasteriser).
enum class DeviceClass { cpu_vector, gpu_subgroup, gpu_plain, emulated };

std::string_view to_string(DeviceType type);
std::string_view to_string(DeviceClass device_class);

/// What a device says of itself. Plain data, read once, usable in tests without hardware.
struct DeviceInfo {
  std::string id;  ///< stable across runs and driver order: hash of UUID, PCI address or
                   ///< platform+name+ordinal, hex
  std::string
      selector;  ///< alias:n, or type:n where the platform has no alias; see docs/devices.md
  std::string name, vendor, platform, driver_version, opencl_version, opencl_c_version;
  DeviceType type = DeviceType::cpu;
  DeviceClass device_class = DeviceClass::gpu_plain;
  int platform_index = 0;  ///< the p of p.d: as the ICD loader counts
  int device_index = 0;    ///< the d of p.d
  int compute_units = 1;
  int native_float_width = 1;
  int subgroup_size = 0;  ///< 0: no sub-groups
  std::size_t max_work_group_size = 1, local_bytes = 0, global_bytes = 0;
  std::size_t max_allocation_bytes = 0;  ///< CLMX_MAX_ALLOCATION lowers it
  std::size_t max_parameter_bytes = 1024;
  std::size_t timer_resolution_ns = 0;  ///< 0: profiling uses host clocks
  bool unified_memory = false, fp16 = false, fp64 = false, int_dot = false;
  int max_sub_devices = 0;  ///< into how many devices it can be divided; 0: no sub-device of it
  std::string pretends;     ///< the profile of CLMX_PRETEND whose limits these are, else empty
};

/// A platform or device that could not be used; enumeration goes on without it.
struct DeviceProblem {
  std::string where;   ///< platform or device name
  std::string reason;  ///< the failed call and its symbolic code, or "no devices"
};

/// How a new stream measures.
struct StreamOptions {
  bool profiling = false;  ///< records each launch's duration; see Stream::take_profile
};

/// A cheap handle; equal handles are the same device. Any thread may use it.
class Device {
 public:
  /// Every usable device in the stable order: class (gpu, accelerator, cpu, emulated), platform
  /// name, device name, ordinal. Empty, not an error, when there are none.
  static std::span<const Device> all();
  /// What enumeration passed over, and why. An ICD without devices is listed here too.
  static std::span<const DeviceProblem> problems();
  /// One device by the grammar of docs/devices.md: alias[:n], type[:n], p.d, id=HEX or name~TEXT,
  /// each with /units for a sub-device (see selection.hpp). Throws DeviceNotFound, with the
  /// candidates, on no match, a malformed selector or a sub-device that cannot be made.
  static Device select(std::string_view selector);
  /// A comma-separated list of the above, or "all"; duplicates are dropped. Never empty.
  static std::vector<Device> select_list(std::string_view selectors);

  const DeviceInfo& info() const;
  /// Whether buffers over host pages work without a copy: tried once by values, never assumed.
  bool wraps_host_memory() const;
  Stream new_stream(StreamOptions options = {}) const;
  /// The stream of ops that name only the device. One per device and process.
  Stream default_stream() const;
  /// From memory, from the disk cache, or compiled. Throws KernelBuildError.
  Kernel kernel(const KernelSpec& spec) const;
  MemoryStats memory() const;
  void reset_peak_memory() const;
  /// Gives cached blocks of the pool back to the driver.
  void trim_memory() const;

  bool operator==(const Device& other) const { return state_ == other.state_; }
  DeviceState* state() const { return state_; }  ///< for this layer only
  explicit Device(DeviceState* state) : state_(state) {}

 private:
  DeviceState* state_;  // lives until the process ends
};

/// set_default_device, else CLMX_DEVICE, else the first of Device::all() whose stored self-check
/// did not fail. Throws DeviceNotFound.
Device default_device();
void set_default_device(const Device& device);
Stream default_stream(const Device& device);

/// Counters of this process, for --json output and tests.
struct BuildStats {
  std::uint64_t compiled = 0;  ///< programs compiled from source
  std::uint64_t loaded = 0;    ///< programs loaded from the disk cache
  std::uint64_t launches = 0;  ///< kernels enqueued
  double build_seconds = 0;    ///< host time in compiling and loading
};
BuildStats build_stats();

/// All environment variables of clmx are read through here. An unset or empty variable is absent.
std::optional<std::string> environment(const char* name);
/// As environment(), for bytes with suffixes K M G = 1024^n. Throws ArgumentError when malformed.
std::optional<std::size_t> environment_bytes(const char* name);

}  // namespace clmx

template <>
struct std::hash<clmx::Device> {
  std::size_t operator()(const clmx::Device& d) const noexcept {
    return std::hash<const void*>()(d.state());
  }
};
