#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program.hpp"
#include "support/test_devices.hpp"

namespace clmx {

constexpr int ok = 0, usage = 2, bad_file = 4, gate = 6;

inline std::string all_selectors(bool emulated_too = true) {
  std::string all;
  for (const Device& device : test_devices()) {
    if (!emulated_too && device.info().device_class == DeviceClass::emulated) continue;
    all += (all.empty() ? "" : ",") + device.info().selector;
  }
  return all;
}

/// A defect in one place of the kernels.
struct Fault {
  const char *file, *from, *to;
  const char* op;              ///< the first that has to be named
  const char* pretend = "";    ///< CLMX_PRETEND: the kernels of another class of devices
  bool within_budget = false;  ///< shows in the bits alone
};

class CompareCommand : public testing::Test {
 protected:
  CompareCommand() { program_.environment["CLMX_CACHE_DIR"] = (folder_ / "cache").string(); }

  Ended compare(std::vector<std::string> arguments, const std::string& devices) {
    arguments.insert(arguments.begin(), {"compare", "--json"});
    if (!devices.empty()) arguments.insert(arguments.end(), {"-d", devices});
    return program_.run(arguments);
  }
  static std::string first() { return test_devices().front().info().selector; }
  std::string file(const char* name) const { return (folder_ / name).string(); }

  /// The kernels with the fault in them, read instead of the built-in ones from here on.
  void plant(const Fault& fault) {
    const std::filesystem::path kernels = folder_ / "kernels";
    std::filesystem::remove_all(kernels);
    std::filesystem::copy(CLMX_KERNELS, kernels, std::filesystem::copy_options::recursive);
    std::string text = content_of(kernels / fault.file);
    const std::size_t at = text.find(fault.from);
    ASSERT_NE(at, std::string::npos) << fault.file << " has no " << fault.from;
    text.replace(at, std::string(fault.from).size(), fault.to);
    std::ofstream(kernels / fault.file) << text;
    program_.environment["CLMX_KERNEL_DIR"] = kernels.string();
    if (*fault.pretend != 0) program_.environment["CLMX_PRETEND"] = fault.pretend;
  }

  TempFolder folder_;
  Program program_;
};

}  // namespace clmx
