#include "common_options.hpp"

#include <unistd.h>

#include <cstdlib>

#include "clmx/devices/error.hpp"
#include "clmx/nn/model_file.hpp"
#include "exit_code.hpp"

namespace clmx::cli {

void CommonOptions::add_to(CLI::App& app) {
  app.add_option("-d,--device", device,
                 "Devices: 'all' or a list of pocl, intel:1, gpu, 0.1, id=HEX, name~TEXT "
                 "(else CLMX_DEVICE)");
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

std::vector<Device> CommonOptions::devices(Without without) const {
  std::string selectors = device;
  if (selectors.empty()) selectors = environment("CLMX_DEVICE").value_or("");
  if (is_strict()) {
    for (const DeviceProblem& problem : Device::problems()) {
      if (problem.reason == "no devices") continue;  // an empty platform lacks nothing
      throw DeviceNotFound(join("passed over ", problem.where, ": ", problem.reason,
                                " (an error because of --strict)"));
    }
  }
  if (!selectors.empty()) return Device::select_list(selectors);
  if (without == Without::default_device) return {default_device()};
  const auto all = Device::all();
  return {all.begin(), all.end()};
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
