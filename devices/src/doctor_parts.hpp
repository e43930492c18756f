#pragma once

#include <cstdint>

#include "clmx/devices/doctor.hpp"

namespace clmx {

/// A driver that an ICD file, or a variable, names.
struct Driver {
  std::string where;    ///< the ICD file, or the variable
  std::string library;  ///< what it names; empty: nothing
  DriverProbe probe;
};
struct Drivers {
  SystemCheck folder;
  std::vector<Driver> list;

  int devices() const;
  bool has(std::string_view part_of_library) const;
};
/// Finds the drivers as the ICD loaders do and tries each.
Drivers find_drivers(const SystemView& system);
/// A check for each driver, one for each platform.
std::vector<SystemCheck> check_drivers(const Drivers& drivers);

/// A display controller of a vendor whose GPUs have an OpenCL driver.
struct PciGpu {
  std::string vendor;   ///< intel, amd, nvidia: a part of what OpenCL drivers give for the vendor
  std::string address;  ///< 0000:01:00.0
  bool has_kernel_driver = false;
};
std::vector<PciGpu> pci_gpus(const std::filesystem::path& root);
/// The line that gives a GPU of that vendor its OpenCL driver.
std::string driver_cure(const PciGpu& gpu);
/// A check for each GPU, one for RUSTICL_ENABLE where Mesa's driver is there, one for the render
/// nodes.
std::vector<SystemCheck> check_gpus(const SystemView& system, const Drivers& drivers);

constexpr std::uintmax_t mebibyte = std::uintmax_t{1} << 20;
/// What a cache of kernels takes with all of them.
/// The files of one kernel, with room.
constexpr std::uintmax_t kernel_space = mebibyte;
constexpr std::uintmax_t comfortable_cache_space = 64 * mebibyte;

/// Why a cache of so many bytes cannot be kept in the folder, which need not exist yet; else "".
std::string cache_trouble(const std::filesystem::path& folder, std::uintmax_t needed);
SystemCheck check_pocl_cache(const SystemView& system, std::uintmax_t needed);
SystemCheck check_linker(const SystemView& system);

/// The caches of PoCL and clmx, PoCL's linker, memory and limits.
std::vector<SystemCheck> check_host(const SystemView& system, const Drivers& drivers);

inline SystemCheck fine(std::string name, std::string found) {
  return {std::move(name), true, std::move(found), {}};
}
inline SystemCheck trouble(std::string name, std::string found, std::string cure) {
  return {std::move(name), false, std::move(found), std::move(cure)};
}

/// The first line of a file without blanks at its ends; empty where it cannot be read.
std::string first_line(const std::filesystem::path& file);
/// The names of a folder's entries, sorted; none where it cannot be read.
std::vector<std::filesystem::path> sorted_entries(const std::filesystem::path& folder);

}  // namespace clmx
