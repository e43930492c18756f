// Many processes at once that all find the caches of clmx and of the driver empty.
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "program.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Every process checks two golden cases: few kernels, since each of them is built by all.
class ColdCaches : public testing::Test {
 protected:
  static constexpr int cases = 2;

  ColdCaches() {
    const fs::path golden = fs::path(CLMX_TEST_DATA) / "golden";
    const Json manifest = Json::parse(content_of(golden / "manifest.json"));
    Json family = manifest["families"]["quantize_affine"];
    const std::string file = family["file"];
    family["cases"] = {family["cases"][0], family["cases"][1]};
    golden_.write("manifest.json", Json{{"families", {{family_name, family}}}}.dump());
    fs::copy_file(golden / file, golden_ / file);
  }

  void start(Program& program, const std::string& device) const {
    program.environment = {{"CLMX_CACHE_DIR", (folder_ / "clmx").string()},
                           {"POCL_CACHE_DIR", (folder_ / "pocl").string()}};
    program.start({"verify", "--json", "-d", device, "--golden", golden_.path().string(),
                   "--family", family_name});
  }

  /// Every case right, and the device not used against doubts.
  static bool is_right(const Ended& ended) {
    if (ended.status != 0 || ended.err.find("used because") != std::string::npos) return false;
    const Json said = Json::parse(ended.out, nullptr, false);
    if (said.is_discarded()) return false;
    return said["devices"][0]["families"][family_name].value("bit_equal", 0) == cases;
  }

  /// How many of `count` processes with empty caches were not right.
  int failures(const std::string& device, int count) const {
    for (const char* cache : {"clmx", "pocl"}) fs::remove_all(folder_ / cache);
    std::vector<std::unique_ptr<Program>> programs;
    for (int i = 0; i < count; ++i) {
      programs.push_back(std::make_unique<Program>());
      start(*programs.back(), device);
    }
    int failed = 0;
    for (int i = 0; i < count; ++i) {
      const Ended ended = programs[static_cast<std::size_t>(i)]->wait();
      const bool right = is_right(ended);
      EXPECT_TRUE(right) << "process " << i << ": " << ended.status << ' ' << ended.err;
      if (!right) ++failed;
    }
    return failed;
  }

  void expect_none_fails(const Device& device, int processes, int rounds) const {
    const std::string& selector = device.info().selector;
    int failed = 0;
    for (int round = 0; round < rounds; ++round) {
      SCOPED_TRACE(selector + " round " + std::to_string(round));
      failed += failures(selector, processes);
    }
    EXPECT_EQ(failed, 0) << "of " << rounds * processes << " processes on " << selector;
  }

  static inline const std::string family_name = "quantize_affine";
  const TempFolder folder_, golden_;
};

TEST_F(ColdCaches, FourProcessesAtOnceAreAllRight) {
  for (const Device& device : test_devices()) {
    // Slow to compile for: such a device takes part in the full test.
    if (device.info().device_class != DeviceClass::emulated) expect_none_fails(device, 4, 1);
  }
}

using ColdCachesFull = ColdCaches;
TEST_F(ColdCachesFull, SixteenProcessesAtOnceAreAllRightTwentyTimes) {
  for (const Device& device : test_devices()) expect_none_fails(device, 16, 20);
}

}  // namespace
}  // namespace clmx
