#include <charconv>
#include <fstream>
#include <limits>
#include <sstream>

#include "binary_store.hpp"
#include "clmx/devices/error.hpp"
#include "doctor_parts.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

// What `clmx run` with the default model takes, measured, and some room.
constexpr std::uintmax_t needed_memory = 768 * mebibyte;
// Drivers reserve far more than they use.
constexpr std::uintmax_t needed_address_space = 6144 * mebibyte;
constexpr std::uintmax_t unlimited = std::numeric_limits<std::uintmax_t>::max();

SystemCheck check_clmx_cache(const SystemView& system, std::uintmax_t needed) {
  const std::string name = "clmx's cache";
  if (system.variable("CLMX_CACHE").value_or("on") == "off") return fine(name, "off: CLMX_CACHE");
  const auto folder = wanted_cache_directory(system.variable);
  const std::string cure = "export CLMX_CACHE_DIR=/var/tmp/clmx-cache   (any folder of your own)";
  if (!folder) {
    return trouble(name, "HOME is not set, kernels are compiled anew at every start", cure);
  }
  std::string problem = cache_trouble(*folder, needed);
  std::error_code error;
  if (problem.empty() && fs::is_directory(*folder, error) && !belongs_to_us_alone(*folder)) {
    return trouble(name, folder->string() + " is not used: others can write to it",
                   join("chmod go-w ", folder->string(), ", if it is yours"));
  }
  if (problem.empty()) return fine(name, folder->string());
  return trouble(name, join(folder->string(), ": ", problem), cure);
}

std::uintmax_t number(const std::string& text) {
  std::uintmax_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? value : unlimited;
}

// The number behind a label at the start of a line; unlimited where there is none.
std::uintmax_t labelled(const fs::path& file, std::string_view label) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(label)) continue;
    const std::size_t at = line.find_first_not_of(" \t", label.size());
    return at == std::string::npos ? unlimited : number(line.substr(at));
  }
  return unlimited;
}

std::uintmax_t left_in_group(const fs::path& limit_file, const fs::path& used_file) {
  const std::uintmax_t limit = number(first_line(limit_file)), used = number(first_line(used_file));
  if (limit == unlimited || used == unlimited) return limit;
  return limit - std::min(limit, used);
}

SystemCheck check_memory(const SystemView& system) {
  const std::uintmax_t kibibytes = labelled(system.root / "proc/meminfo", "MemAvailable:");
  const std::uintmax_t available = kibibytes == unlimited ? unlimited : kibibytes * 1024;
  const fs::path groups = system.root / "sys/fs/cgroup";
  const std::uintmax_t in_group =
      std::min(left_in_group(groups / "memory.max", groups / "memory.current"),
               left_in_group(groups / "memory/memory.limit_in_bytes",
                             groups / "memory/memory.usage_in_bytes"));
  const std::uintmax_t left = std::min(available, in_group);
  if (left == unlimited) return fine("memory", "not known");
  const std::string found = join(left / mebibyte, " MiB available");
  if (left >= needed_memory) return fine("memory", found);
  const std::string wanted = join(", the default model needs ", needed_memory / mebibyte);
  return trouble("memory", found + wanted,
                 in_group < available ? "raise the container's limit: docker run --memory 2g"
                                      : "end other programs, or add swap");
}

SystemCheck check_limits(const SystemView& system) {
  const std::uintmax_t space = labelled(system.root / "proc/self/limits", "Max address space");
  if (space == unlimited) return fine("limits", "the address space is not limited");
  const std::string found = join("the address space is limited to ", space / mebibyte, " MiB");
  if (space >= needed_address_space) return fine("limits", found);
  return trouble("limits", found + ", which drivers need for reservations", "ulimit -v unlimited");
}

}  // namespace

std::vector<SystemCheck> check_host(const SystemView& system, const Drivers& drivers) {
  std::vector<SystemCheck> checks;
  if (drivers.has("pocl")) {
    checks.push_back(check_pocl_cache(system, comfortable_cache_space));
    checks.push_back(check_linker(system));
  }
  checks.push_back(check_clmx_cache(system, comfortable_cache_space));
  checks.push_back(check_memory(system));
  checks.push_back(check_limits(system));
  return checks;
}

SystemCheck kernel_cache(const SystemView& system) {
  return check_clmx_cache(system, kernel_space);
}

SystemCheck kernel_cache() {
  return kernel_cache(SystemView{.variable = environment, .probe = {}});
}

}  // namespace clmx
