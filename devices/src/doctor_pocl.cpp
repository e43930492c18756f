// What PoCL needs of the system: it ends the process where that is missing.
#include <fcntl.h>
#include <unistd.h>

#include <sstream>

#include "clmx/devices/error.hpp"
#include "doctor_parts.hpp"
#include "driver_needs.hpp"
#include "select.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

fs::path pocl_cache(const SystemView& system) {
  if (const auto folder = system.variable("POCL_CACHE_DIR")) return *folder;
  if (const auto cache = system.variable("XDG_CACHE_HOME")) return fs::path(*cache) / "pocl/kcache";
  if (const auto home = system.variable("HOME")) return fs::path(*home) / ".cache/pocl/kcache";
  return system.root / "tmp/pocl/kcache";
}

}  // namespace

std::string cache_trouble(const fs::path& folder, std::uintmax_t needed) {
  std::error_code error;
  fs::path existing = folder;
  while (!fs::exists(existing, error)) {
    const fs::path parent = existing.parent_path();
    if (error || parent == existing || parent.empty()) break;
    existing = parent;
  }
  if (!fs::is_directory(existing, error)) return existing.string() + " is not a folder";
  if (::faccessat(AT_FDCWD, existing.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    return existing.string() + " may not be written by this user";
  }
  const fs::space_info space = fs::space(existing, error);
  if (!error && space.available < needed) {
    return join("only ", space.available / mebibyte, " MiB are free at ", existing.string());
  }
  return {};
}

SystemCheck check_pocl_cache(const SystemView& system, std::uintmax_t needed) {
  const fs::path folder = pocl_cache(system);
  const std::string problem = cache_trouble(folder, needed);
  if (problem.empty()) return fine("PoCL's cache", folder.string());
  return trouble("PoCL's cache", join(folder.string(), ": ", problem),
                 "export POCL_CACHE_DIR=/var/tmp/pocl-cache   (any folder to write to)");
}

SystemCheck check_linker(const SystemView& system) {
  std::istringstream folders(system.variable("PATH").value_or(""));
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path file = fs::path(folder) / "ld";
    if (!folder.empty() && ::access(file.c_str(), X_OK) == 0) return fine("linker", file.string());
  }
  return trouble("linker", "PoCL needs ld, which is in no folder of PATH",
                 "sudo apt install binutils && export PATH=$PATH:/usr/bin");
}

std::optional<SystemCheck> lacking(const SystemView& system, const DeviceInfo& device) {
  if (platform_alias(device.platform) != "pocl") return std::nullopt;
  for (const SystemCheck& check : {check_linker(system), check_pocl_cache(system, kernel_space)}) {
    if (!check.ok) return check;
  }
  return std::nullopt;
}

std::optional<SystemCheck> lacking(const DeviceInfo& device) {
  return lacking(SystemView{.variable = environment, .probe = {}}, device);
}

std::string reason_for_no_devices(const std::string& platform) {
  if (platform_alias(platform) != "pocl") return {};
  const SystemCheck cache =
      check_pocl_cache(SystemView{.variable = environment, .probe = {}}, kernel_space);
  return cache.ok ? std::string() : join(cache.name, ' ', cache.found, "; cure: ", cache.cure);
}

void require_able_to_compile(const DeviceInfo& device, const std::string& entry) {
  const auto missing = lacking(device);
  if (!missing) return;
  throw DeviceError(join("cannot compile ", entry, " for ", device.selector, ": ", missing->found,
                         "; cure: ", missing->cure),
                    "clEnqueueNDRangeKernel", 0, device.selector);
}

}  // namespace clmx
