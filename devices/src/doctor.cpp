#include <algorithm>
#include <fstream>

#include "clmx/devices/error.hpp"
#include "doctor_parts.hpp"

namespace clmx {

std::string first_line(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return {};
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

std::vector<std::filesystem::path> sorted_entries(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    entries.push_back(at->path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

Diagnosis examine(const SystemView& system) {
  const Drivers drivers = find_drivers(system);
  Diagnosis diagnosis{{drivers.folder}, drivers.devices()};
  for (const auto& part :
       {check_drivers(drivers), check_gpus(system, drivers), check_host(system, drivers)}) {
    diagnosis.checks.insert(diagnosis.checks.end(), part.begin(), part.end());
  }
  return diagnosis;
}

std::optional<std::string> unused_gpu(const SystemView& system, std::span<const Device> devices) {
  const bool has_gpu = std::any_of(devices.begin(), devices.end(), [](const Device& device) {
    return device.info().type == DeviceType::gpu;
  });
  if (has_gpu) return std::nullopt;
  for (const PciGpu& gpu : pci_gpus(system.root)) {
    return join("the ", gpu.vendor, " GPU ", gpu.address,
                " is not used, it has no OpenCL driver: ", driver_cure(gpu));
  }
  return std::nullopt;
}

}  // namespace clmx
