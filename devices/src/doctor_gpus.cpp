#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "clmx/devices/error.hpp"
#include "doctor_parts.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

struct Vendor {
  std::string_view pci_id, name, rusticl;  // rusticl: Mesa's name of its driver
  std::string_view cure;
};
constexpr std::array vendors{
    Vendor{"0x8086", "intel", "iris", "sudo apt install intel-opencl-icd"},
    Vendor{"0x1002", "amd", "radeonsi",
           "sudo apt install mesa-opencl-icd && export RUSTICL_ENABLE=radeonsi"},
    Vendor{"0x10de", "nvidia", "nouveau",
           "sudo apt install nvidia-opencl-icd   (in a container: docker run --gpus all)"},
};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

const Vendor& vendor_of(const PciGpu& gpu) {
  return *std::find_if(vendors.begin(), vendors.end(),
                       [&](const Vendor& vendor) { return vendor.name == gpu.vendor; });
}

bool is_of(const ProbedDevice& device, const std::string& vendor) {
  const std::string text = lower(device.vendor + ' ' + device.name);
  return text.find(vendor) != std::string::npos ||
         (vendor == "amd" && text.find("advanced micro") != std::string::npos);
}

std::optional<std::string> opencl_device_of(const PciGpu& gpu, const Drivers& drivers) {
  for (const Driver& driver : drivers.list) {
    for (const ProbedPlatform& platform : driver.probe.platforms) {
      for (const ProbedDevice& device : platform.devices) {
        if (device.type == DeviceType::gpu && is_of(device, gpu.vendor)) return device.name;
      }
    }
  }
  return std::nullopt;
}

SystemCheck check_gpu(const PciGpu& gpu, const Drivers& drivers) {
  const std::string name = join("GPU ", gpu.address, " (", gpu.vendor, ')');
  if (const auto device = opencl_device_of(gpu, drivers)) return fine(name, *device);
  return trouble(name,
                 gpu.has_kernel_driver ? "no OpenCL device"
                                       : "no OpenCL device, and no kernel driver has taken it",
                 driver_cure(gpu));
}

// Mesa's rusticl offers devices only of the drivers that this variable names.
SystemCheck check_rusticl(const SystemView& system, const Drivers& drivers,
                          const std::vector<PciGpu>& unused) {
  const auto value = system.variable("RUSTICL_ENABLE");
  if (value) return fine("RUSTICL_ENABLE", *value);
  if (!unused.empty()) {
    return trouble("RUSTICL_ENABLE", "not set: rusticl offers no device",
                   join("export RUSTICL_ENABLE=", vendor_of(unused.front()).rusticl));
  }
  if (drivers.devices() > 0) return fine("RUSTICL_ENABLE", "not set: rusticl offers no device");
  return trouble("RUSTICL_ENABLE", "not set: rusticl offers no device",
                 "export RUSTICL_ENABLE=llvmpipe   (the processor; slower than PoCL)");
}

std::string group_cure(const fs::path& node) {
  struct stat status {};
  if (::stat(node.c_str(), &status) != 0) return "start the container with --device /dev/dri";
  const ::group* const group = ::getgrgid(status.st_gid);
  if (group == nullptr) return join("start the container with --group-add ", status.st_gid);
  return join("sudo usermod -aG ", group->gr_name, " $USER   (then log in anew)");
}

SystemCheck check_render_nodes(const SystemView& system, bool has_gpus) {
  const std::string name = "render nodes";
  std::string found;
  for (const fs::path& node : sorted_entries(system.root / "dev/dri")) {
    if (node.filename().string().substr(0, 7) != "renderD") continue;
    if (::faccessat(AT_FDCWD, node.c_str(), R_OK | W_OK, AT_EACCESS) != 0) {
      return trouble(name, node.string() + " may not be opened by this user", group_cure(node));
    }
    found += join(found.empty() ? "" : " ", node.string());
  }
  if (!found.empty()) return fine(name, found);
  if (!has_gpus) return fine(name, "none, and no GPU that needs one");
  return trouble(name, "there is a GPU and no /dev/dri/renderD*",
                 "start the container with --device /dev/dri, or load the GPU's kernel driver");
}

}  // namespace

std::vector<PciGpu> pci_gpus(const fs::path& root) {
  std::vector<PciGpu> gpus;
  for (const fs::path& folder : sorted_entries(root / "sys/bus/pci/devices")) {
    if (first_line(folder / "class").substr(0, 4) != "0x03") continue;
    const std::string id = first_line(folder / "vendor");
    const auto vendor = std::find_if(vendors.begin(), vendors.end(),
                                     [&](const Vendor& known) { return known.pci_id == id; });
    if (vendor == vendors.end()) continue;  // a virtual or server display without OpenCL
    std::error_code ignored;
    gpus.push_back({std::string(vendor->name), folder.filename().string(),
                    fs::exists(folder / "driver", ignored)});
  }
  return gpus;
}

std::string driver_cure(const PciGpu& gpu) {
  return std::string(vendor_of(gpu).cure);
}

std::vector<SystemCheck> check_gpus(const SystemView& system, const Drivers& drivers) {
  std::vector<SystemCheck> checks;
  std::vector<PciGpu> unused;
  const std::vector<PciGpu> gpus = pci_gpus(system.root);
  for (const PciGpu& gpu : gpus) {
    checks.push_back(check_gpu(gpu, drivers));
    if (!checks.back().ok && gpu.vendor != "nvidia") unused.push_back(gpu);
  }
  if (drivers.has("Rusticl")) checks.push_back(check_rusticl(system, drivers, unused));
  const bool needs_node = std::any_of(gpus.begin(), gpus.end(),
                                      [](const PciGpu& gpu) { return gpu.vendor != "nvidia"; });
  checks.push_back(check_render_nodes(system, needs_node));
  return checks;
}

}  // namespace clmx
