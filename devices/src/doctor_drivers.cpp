#include <algorithm>
#include <array>
#include <sstream>

#include "clmx/devices/error.hpp"
#include "doctor_parts.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view any_processor = "sudo apt install pocl-opencl-icd";

struct Package {
  std::string_view library;  // a part of its name
  std::string_view cure;
};
constexpr std::array packages{
    Package{"pocl", any_processor},
    Package{"RusticlOpenCL", "sudo apt install mesa-opencl-icd"},
    Package{"MesaOpenCL", "sudo apt install mesa-opencl-icd"},
    Package{"intelocl", "pip install intel-opencl-rt, and name its library in the ICD file"},
    Package{"igdrcl", "sudo apt install intel-opencl-icd"},
    Package{"nvidia-opencl", "sudo apt install nvidia-opencl-icd"},
    Package{"amdocl", "sudo apt install rocm-opencl-runtime"},
};

// The library that is missing may be another one, which the driver needs.
std::string missing_library(const Driver& driver) {
  constexpr std::string_view start = "cannot be loaded: ", end = ": cannot open shared object file";
  const std::string& failure = driver.probe.failure;
  const std::size_t at = failure.find(end);
  if (!failure.starts_with(start) || at == std::string::npos) return {};
  return failure.substr(start.size(), at - start.size());
}

std::string cure_of(const Driver& driver) {
  if (driver.library.empty()) return join("write the driver's library into ", driver.where);
  const std::string missing = missing_library(driver);
  if (!missing.empty() && missing != driver.library) {
    return join("install the package that has ", missing, ", or add its folder to LD_LIBRARY_PATH");
  }
  for (const Package& package : packages) {
    if (driver.library.find(package.library) != std::string::npos) {
      return missing.empty() ? join(package.cure, "   (anew; or: sudo rm ", driver.where, ')')
                             : std::string(package.cure);
    }
  }
  return join("install the package that has ", driver.library, ", or: sudo rm ", driver.where);
}

void add_file(const SystemView& system, const fs::path& file, Drivers& drivers) {
  Driver driver{file.string(), first_line(file), {}};
  if (driver.library.empty()) {
    driver.probe.failure = "names no library";
  } else {
    driver.probe = system.probe(driver.library);
  }
  drivers.list.push_back(std::move(driver));
}

void add_folder(const SystemView& system, const fs::path& folder, const std::string& name,
                Drivers& drivers) {
  std::error_code ignored;
  const std::size_t before = drivers.list.size();
  for (const fs::path& file : sorted_entries(folder)) {
    if (file.extension() == ".icd") add_file(system, file, drivers);
  }
  const std::size_t count = drivers.list.size() - before;
  const std::string of_whom = name.empty() ? std::string() : join(" (of ", name, ')');
  const std::string cure = name.empty() ? std::string(any_processor) : join("unset ", name);
  if (!fs::is_directory(folder, ignored)) {
    drivers.folder = trouble("ICD files", join(folder.string(), of_whom, " is not a folder"), cure);
  } else if (count == 0) {
    drivers.folder = trouble("ICD files", join(folder.string(), of_whom, " has none"), cure);
  } else {
    drivers.folder = fine("ICD files", join(count, " in ", folder.string(), of_whom));
  }
}

// Where RUSTICL_ENABLE is the cause, its own check says so.
SystemCheck check_platform(const Driver& driver, const ProbedPlatform& platform, bool others) {
  const std::string name = "platform " + platform.name;
  if (!platform.devices.empty()) {
    std::string devices = platform.devices.front().name;
    for (std::size_t i = 1; i < platform.devices.size(); ++i) {
      devices += join(", ", platform.devices[i].name);
    }
    return fine(name, devices);
  }
  const std::string found = join("no devices (", driver.where, ')');
  if (others) return fine(name, found + "; other drivers have some");
  return trouble(name, found, join(any_processor, "   (drives any processor)"));
}

}  // namespace

int Drivers::devices() const {
  std::size_t count = 0;
  for (const Driver& driver : list) {
    if (!driver.probe.failure.empty()) continue;
    for (const ProbedPlatform& platform : driver.probe.platforms) count += platform.devices.size();
  }
  return static_cast<int>(count);
}

bool Drivers::has(std::string_view part_of_library) const {
  return std::any_of(list.begin(), list.end(), [&](const Driver& driver) {
    return driver.library.find(part_of_library) != std::string::npos;
  });
}

Drivers find_drivers(const SystemView& system) {
  Drivers drivers;
  std::error_code ignored;
  const auto vendors = system.variable("OCL_ICD_VENDORS");
  if (!vendors) {
    add_folder(system, system.root / "etc/OpenCL/vendors", "", drivers);
  } else if (fs::path(*vendors).extension() == ".icd" && !fs::is_directory(*vendors, ignored)) {
    drivers.folder = fine("ICD files", *vendors + " (of OCL_ICD_VENDORS)");
    add_file(system, *vendors, drivers);
  } else {
    add_folder(system, *vendors, "OCL_ICD_VENDORS", drivers);
  }
  std::istringstream names(system.variable("OCL_ICD_FILENAMES").value_or(""));
  for (std::string library; std::getline(names, library, ':');) {
    drivers.list.push_back({"OCL_ICD_FILENAMES", library, system.probe(library)});
  }
  return drivers;
}

std::vector<SystemCheck> check_drivers(const Drivers& drivers) {
  std::vector<SystemCheck> checks;
  const bool some = drivers.devices() > 0;
  for (const Driver& driver : drivers.list) {
    const std::string name = "driver " + driver.where;
    if (!driver.probe.failure.empty()) {
      checks.push_back(
          trouble(name, join(driver.library, ' ', driver.probe.failure), cure_of(driver)));
      continue;
    }
    checks.push_back(fine(name, driver.library));
    if (driver.probe.platforms.empty()) {
      checks.push_back(check_platform(driver, {"of " + driver.where}, some));
    }
    for (const ProbedPlatform& platform : driver.probe.platforms) {
      checks.push_back(check_platform(driver, platform, some));
    }
  }
  return checks;
}

}  // namespace clmx
