#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "clmx/devices/device.hpp"

namespace clmx {

/// One thing that devices need: how it is, and if that is not ok the line that cures it.
struct SystemCheck {
  std::string name;
  bool ok = true;
  std::string found;
  std::string cure;  ///< empty when ok
};

/// What a driver offers when it is tried.
struct ProbedDevice {
  std::string name, vendor;
  DeviceType type = DeviceType::cpu;
};
struct ProbedPlatform {
  std::string name;
  std::vector<ProbedDevice> devices = {};
};
struct DriverProbe {
  std::string failure;  ///< why the driver cannot be used: cannot be loaded, crashed, hung; else ""
  std::vector<ProbedPlatform> platforms = {};
};

/// The system as the doctor sees it, so that tests can make one up.
struct SystemView {
  std::filesystem::path root = "/";  ///< holds etc, sys, dev, proc and tmp
  /// An environment variable; an empty one is absent.
  std::function<std::optional<std::string>(const char*)> variable;
  /// Tries the driver in this shared library.
  std::function<DriverProbe(const std::string& library)> probe;
};

/// The system that this process runs on. `program` must call answer_driver_probe first of all: each
/// driver is tried in a process of it, for 20 seconds at most, because a broken one may crash or
/// hang.
SystemView this_system(const std::filesystem::path& program);

/// What the doctor found.
struct Diagnosis {
  std::vector<SystemCheck> checks;
  int devices = 0;  ///< OpenCL devices that the drivers offer
};

/// Looks at all that devices need: ICD files and their libraries, platforms, GPUs on the PCI bus,
/// render nodes, the drivers' cache and linker, clmx's own cache, memory and limits. Changes
/// nothing, throws nothing for what it finds.
Diagnosis examine(const SystemView& system);

/// What the driver of the device lacks to compile kernels: PoCL links with `ld`, found on PATH, and
/// writes to its cache, and ends the process where it cannot. Nothing when nothing is missing, and
/// for other drivers. Starts no process.
std::optional<SystemCheck> lacking(const SystemView& system, const DeviceInfo& device);
/// The same for the system that this process runs on.
std::optional<SystemCheck> lacking(const DeviceInfo& device);

/// How clmx's cache of compiled kernels is: not ok where kernels would not be kept for the next
/// start, because it cannot be written to or has no room for one; `found` says why. Ok when it is
/// switched off. Changes nothing.
SystemCheck kernel_cache(const SystemView& system);
/// The same for the system that this process runs on.
SystemCheck kernel_cache();

/// "Intel GPU 0000:00:02.0 has no OpenCL driver: ..." for a GPU on the PCI bus while no device is a
/// GPU; nothing otherwise. Starts no process.
std::optional<std::string> unused_gpu(const SystemView& system, std::span<const Device> devices);

/// For the first line of main: when the arguments are those of a driver's trial, tries it, writes
/// what it offers to standard output and gives the exit status; else nothing.
std::optional<int> answer_driver_probe(int argc, char** argv);

}  // namespace clmx
