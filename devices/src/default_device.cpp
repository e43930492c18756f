#include <atomic>

#include "clmx/devices/error.hpp"
#include "clmx/devices/selection.hpp"

namespace clmx {
namespace {

std::atomic<DeviceState*> chosen_default{nullptr};

const DefaultChoice& default_choice() {
  static const DefaultChoice choice = [] {
    std::vector<DeviceInfo> infos;
    std::vector<std::optional<SelfCheck>> verdicts;
    for (const Device& device : Device::all()) {
      infos.push_back(device.info());
      verdicts.push_back(stored_self_check(device.info()));
    }
    return choose_default(infos, verdicts);
  }();
  return choice;
}

[[noreturn]] void throw_passed_over(const DefaultChoice& choice, std::string_view rule) {
  std::string message = join("no device can be taken by default", rule);
  for (const DeviceProblem& problem : choice.passed_over) {
    message += join("\n  ", problem.where, ": ", problem.reason);
  }
  throw DeviceNotFound(message);
}

Device unnamed_default() {
  const DefaultChoice& choice = default_choice();
  const bool strict = environment("CLMX_STRICT").value_or("0") != "0";
  if (strict && !choice.passed_over.empty()) throw_passed_over(choice, " because of CLMX_STRICT:");
  if (choice.device) return Device::all()[*choice.device];
  if (choice.passed_over.empty()) throw DeviceNotFound("no OpenCL device was found");
  throw_passed_over(choice, "; name one to use it all the same:");
}

}  // namespace

DefaultChoice choose_default(std::span<const DeviceInfo> devices,
                             std::span<const std::optional<SelfCheck>> verdicts) {
  DefaultChoice choice;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (!verdicts[i] || !verdicts[i]->is_bad()) {
      choice.device = i;
      return choice;
    }
    choice.passed_over.push_back({devices[i].selector, join("it ", describe(*verdicts[i]))});
  }
  return choice;
}

std::span<const DeviceProblem> default_passed_over() {
  return default_choice().passed_over;
}

Device default_device() {
  if (DeviceState* const chosen = chosen_default) return Device(chosen);
  if (const auto selectors = environment("CLMX_DEVICE")) {
    return Device::select_list(*selectors).front();
  }
  return unnamed_default();
}

void set_default_device(const Device& device) {
  chosen_default = device.state();
}

}  // namespace clmx
