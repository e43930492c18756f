#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "clmx/devices/device.hpp"
#include "clmx/devices/self_check.hpp"

namespace clmx::cli {

/// Options that every command understands.
struct CommonOptions {
  std::string device, model, trace, color = "auto";
  bool json = false, quiet = false, strict = false;
  int verbosity = 0;

  void add_to(CLI::App& app);
  /// The devices of -d or CLMX_DEVICE; without them all of them or the default one. A device that
  /// has never been checked is checked first, in about a second. Unless it is named, one that
  /// failed is passed over, with a line on stderr. Throws DeviceNotFound when none is left, or one
  /// that is named hung in a check just now; with --strict also when a platform or device had to be
  /// passed over.
  enum class Without { all, default_device };
  std::vector<Device> devices(Without without) const;
  /// As devices(Without::all), but with those that failed their self-check: what is wrong with them
  /// is to be found. One that crashed or hung in it is used only when it is named.
  std::vector<Device> devices_to_compare() const;
  /// What devices() passed over.
  mutable std::vector<DeviceProblem> passed_over;
  /// The devices of -d or CLMX_DEVICE, else all, whatever a check found of them; may be empty.
  std::vector<Device> listed_devices() const;
  /// The same for a command that runs on one. Throws UsageError when several are named.
  Device one_device() const;
  /// Whether neither -d nor CLMX_DEVICE names a device, and notes are wanted.
  bool takes_default_device() const {
    return !quiet && device.empty() && !environment("CLMX_DEVICE");
  }
  std::filesystem::path model_path() const;
  bool is_strict() const;
  /// Whether to write escape sequences to stderr.
  bool colored() const;
  /// Text for stderr, in bold where it is coloured.
  std::string heading(const std::string& text) const;

 private:
  std::vector<Device> usable_devices(Without without, bool failed_too) const;
  void pass_over(const Device& bad, const SelfCheck& check, bool named) const;
};

/// A command of the program: its parser and what it does, which returns an exit status.
struct Command {
  CLI::App* parser;
  std::function<int()> run;
};

Command quantize_command(CLI::App& app, const CommonOptions& common);
Command devices_command(CLI::App& app, const CommonOptions& common);
Command run_command(CLI::App& app, const CommonOptions& common);
Command logits_command(CLI::App& app, const CommonOptions& common);
Command tokenize_command(CLI::App& app, const CommonOptions& common);
Command verify_command(CLI::App& app, const CommonOptions& common);
Command compare_command(CLI::App& app, const CommonOptions& common);
Command fingerprint_command(CLI::App& app, const CommonOptions& common);

}  // namespace clmx::cli
