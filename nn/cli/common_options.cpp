#include "common_options.hpp"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "clmx/devices/doctor.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/self_check.hpp"
#include "clmx/nn/model_file.hpp"
#include "exit_code.hpp"

namespace clmx::cli {
namespace {

std::string selectors_of(const CommonOptions& common) {
  return common.device.empty() ? environment("CLMX_DEVICE").value_or("") : common.device;
}

bool lacks_nothing(const DeviceProblem& empty_platform) {
  return empty_platform.reason == "no devices";
}

void mention_problems() {
  for (const DeviceProblem& problem : Device::problems()) {
    if (lacks_nothing(problem)) continue;
    std::cerr << "passed over: " << problem.where << ": " << problem.reason << '\n';
  }
}

void mention_cache() {
  const SystemCheck cache = kernel_cache();
  if (cache.ok) return;
  std::cerr << "compiled kernels are not kept: " << cache.name << ' ' << cache.found
            << "; cure: " << cache.cure << '\n';
}

void refuse_problems() {
  for (const DeviceProblem& problem : Device::problems()) {
    if (lacks_nothing(problem)) continue;
    throw DeviceNotFound(join("passed over ", problem.where, ": ", problem.reason,
                              " (an error because of --strict)"));
  }
}

struct CheckBeforeUse {
  SelfCheck check;
  bool just_made = false;
};

/// The stored verdict; without one, the quick self-check, announced.
CheckBeforeUse checked_before_use(const Device& device, bool quiet) {
  const auto stored = stored_self_check(device.info());
  if (stored && stored->status != SelfCheckStatus::not_run) return {*stored, false};
  if (!quiet) {
    std::cerr << "checking " << device.info().selector << " (once for this driver and version)\n";
  }
  return {self_check(device), true};
}

/// What hung a moment ago would keep its user for the hang limit once more.
void refuse_hung(const Device& device, const SelfCheck& check) {
  if (check.status != SelfCheckStatus::hung) return;
  throw DeviceNotFound(join("device ", device.info().selector, ' ', describe(check),
                            "; the same command again uses it all the same"));
}

}  // namespace

void CommonOptions::add_to(CLI::App& app) {
  app.add_option(
      "-d,--device", device,
      "Devices: 'all' or a list of pocl, intel:1, gpu, 0.1, id=HEX, name~TEXT, each with "
      "/N for a sub-device of N compute units (else CLMX_DEVICE)");
  app.add_option("--model", model, "An MLX folder or a .gguf file (else CLMX_MODEL)");
  app.add_option("--trace", trace,
                 "Write a timeline of streams and host to this file (Chrome's trace format)");
  app.add_flag("--json", json, "Print one JSON document");
  app.add_option("--color", color, "Colours on stderr")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_flag("--strict", strict,
               "Make a device passed over, or a copy between devices, an error");
  app.add_flag("-v,--verbose", verbosity, "Say more on stderr");
  app.add_flag("-q,--quiet", quiet, "Say only errors on stderr");
}

std::vector<Device> CommonOptions::listed_devices() const {
  if (verbosity > 0) mention_cache();
  if (is_strict()) refuse_problems();
  const std::string selectors = selectors_of(*this);
  if (!selectors.empty()) return Device::select_list(selectors);
  return {Device::all().begin(), Device::all().end()};
}

std::vector<Device> CommonOptions::devices(Without without) const {
  return usable_devices(without, false);
}

std::vector<Device> CommonOptions::devices_to_compare() const {
  return usable_devices(Without::all, true);
}

std::vector<Device> CommonOptions::usable_devices(Without without, bool failed_too) const {
  if (!quiet && !is_strict()) mention_problems();
  const std::vector<Device> listed = listed_devices();
  const std::string selectors = selectors_of(*this);
  const bool named = !selectors.empty() && selectors != "all";
  std::vector<Device> usable;
  for (const Device& each : listed) {
    const auto [check, just_made] = checked_before_use(each, quiet);
    if (named && just_made) refuse_hung(each, check);
    const bool wanted = named || (failed_too && check.status == SelfCheckStatus::failed);
    if (check.is_bad() && !(wanted && failed_too)) pass_over(each, check, named);
    if (wanted || !check.is_bad()) usable.push_back(each);
    if (selectors.empty() && without == Without::default_device && !usable.empty()) break;
  }
  if (usable.empty()) {
    throw DeviceNotFound(listed.empty() ? "no OpenCL device was found"
                                        : "no OpenCL device passed its self-check (clmx devices "
                                          "--check runs it again; -d uses one all the same)");
  }
  return usable;
}

void CommonOptions::pass_over(const Device& bad, const SelfCheck& check, bool named) const {
  const DeviceInfo& info = bad.info();
  const std::string reason = join("it ", describe(check));
  if (is_strict()) {
    throw DeviceNotFound(
        join("device ", info.selector, ' ', describe(check), " (an error because of --strict)"));
  }
  if (named) {
    if (!quiet)
      std::cerr << "used because it is named: " << info.selector << ": " << reason << '\n';
    return;
  }
  passed_over.push_back({info.selector, reason});
  std::cerr << "passed over: " << info.selector << ": " << reason << '\n';
}

Device CommonOptions::one_device() const {
  const std::vector<Device> named = devices(Without::default_device);
  if (named.size() != 1) throw UsageError("this command runs on one device: name one with -d");
  return named.front();
}

std::filesystem::path CommonOptions::model_path() const {
  return model.empty() ? default_model_path() : std::filesystem::path(model);
}

bool CommonOptions::is_strict() const {
  if (strict) setenv("CLMX_STRICT", "1", 1);  // the library's part of it: copies between devices
  return environment("CLMX_STRICT").value_or("0") != "0";
}

bool CommonOptions::colored() const {
  if (color != "auto") return color == "always";
  return !environment("NO_COLOR") && isatty(STDERR_FILENO) == 1;
}

std::string CommonOptions::heading(const std::string& text) const {
  return colored() ? "\033[1m" + text + "\033[0m" : text;
}

}  // namespace clmx::cli
