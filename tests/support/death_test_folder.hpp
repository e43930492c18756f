#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <optional>

#include "clmx/devices/device.hpp"
#include "support/temp_folder.hpp"

namespace clmx {

/// A new folder for death tests. Each of their expectations runs the program anew up to that line;
/// the folder is told to it through the environment.
class DeathTestFolder {
 public:
  DeathTestFolder() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    if (const auto told = environment(variable)) {
      path_ = *told;
      return;
    }
    path_ = own_.emplace().path();
    ::setenv(variable, path_.c_str(), 1);
  }
  DeathTestFolder(const DeathTestFolder&) = delete;
  DeathTestFolder& operator=(const DeathTestFolder&) = delete;
  ~DeathTestFolder() { ::unsetenv(variable); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  static constexpr const char* variable = "CLMX_TEST_DEATH_FOLDER";
  std::optional<TempFolder> own_;
  std::filesystem::path path_;
};

}  // namespace clmx
