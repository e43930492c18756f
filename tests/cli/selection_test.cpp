#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "clmx/devices/device.hpp"
#include "program.hpp"

namespace clmx {
namespace {

using nlohmann::json;

std::vector<std::filesystem::path> icd_files() {
  const std::filesystem::path folder =
      environment("OCL_ICD_VENDORS").value_or("/etc/OpenCL/vendors");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".icd") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// id -> selector, as the program lists them with the drivers in this order.
std::map<std::string, std::string> listed(const std::vector<std::filesystem::path>& files) {
  const TempFolder folder;
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::filesystem::copy_file(files[i], folder / (std::to_string(i) + ".icd"));
  }
  Program program;
  program.environment = {{"OCL_ICD_VENDORS", folder.path()}, {"OCL_ICD_PLATFORM_SORT", "none"}};
  const Ended ended = program.run({"devices", "--json", "-d", "all"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  std::map<std::string, std::string> found;
  if (ended.status != 0) return found;
  const json document = json::parse(ended.out);
  for (const json& device : document.at("devices")) found[device.at("id")] = device.at("selector");
  EXPECT_EQ(found.size(), document.at("devices").size());
  return found;
}

TEST(Selection, IdsAndSelectorsDoNotDependOnTheOrderOfTheDrivers) {
  std::vector<std::filesystem::path> files = icd_files();
  const auto first = listed(files);
  EXPECT_EQ(first.size(), Device::all().size());
  std::reverse(files.begin(), files.end());
  EXPECT_EQ(listed(files), first);
  std::rotate(files.begin(), files.begin() + 1, files.end());
  EXPECT_EQ(listed(files), first);
}

TEST(Selection, TheCommandLineAndTheEnvironmentTakeSubDevices) {
  for (const Device& device : Device::all()) {
    const DeviceInfo& info = device.info();
    const std::string selector = info.selector + "/1";
    const bool possible = info.max_sub_devices > 1 && info.compute_units > 1;
    Program program;
    const Ended by_option = program.run({"devices", "--json", "-d", selector});
    program.environment["CLMX_DEVICE"] = selector;
    const Ended by_environment = program.run({"devices", "--json"});
    for (const Ended& ended : {by_option, by_environment}) {
      EXPECT_EQ(ended.status, possible ? 0 : 3) << selector << ended.err;
      if (ended.status != 0) continue;
      const json entry = json::parse(ended.out).at("devices").at(0);
      EXPECT_EQ(entry.at("id"), info.id + "/1");
      EXPECT_EQ(entry.at("compute_units"), 1);
    }
  }
}

TEST(Selection, ExactlyOneDeviceIsTheDefault) {
  const TempFolder cache;  // no verdict is stored there
  Program program;
  program.environment = {{"CLMX_DEVICE", ""}, {"CLMX_CACHE_DIR", cache.path()}};
  const json devices = json::parse(program.run({"devices", "--json"}).out).at("devices");
  for (std::size_t i = 0; i < devices.size(); ++i) EXPECT_EQ(devices[i].at("default"), i == 0);
  const std::string table = program.run({"devices"}).out;
  EXPECT_NE(table.find(Device::all().front().info().selector + " *"), std::string::npos) << table;
  EXPECT_EQ(std::count(table.begin(), table.end(), '*'), 1);
}

TEST(Selection, APretendedDeviceSaysSoAndKeepsItsSelector) {
  Program program;
  program.environment = {{"CLMX_PRETEND", "mali"}};
  const Ended ended = program.run({"devices", "--json", "-d", "all"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  const json devices = json::parse(ended.out).at("devices");
  ASSERT_EQ(devices.size(), Device::all().size());
  for (std::size_t i = 0; i < devices.size(); ++i) {
    EXPECT_EQ(devices[i].at("pretends"), "mali");
    EXPECT_EQ(devices[i].at("class"), "gpu_plain");
    EXPECT_EQ(devices[i].at("selector"), Device::all()[i].info().selector);
    EXPECT_EQ(devices[i].at("id"), Device::all()[i].info().id);
  }
  program.environment = {{"CLMX_PRETEND", "nothing like it"}};
  EXPECT_EQ(program.run({"devices"}).status, 2);
}

}  // namespace
}  // namespace clmx
