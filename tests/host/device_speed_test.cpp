#include "device_speed.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "support/temp_folder.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

TEST(DeviceSpeed, IsMeasuredOnEveryDeviceAndKept) {
  const TempFolder folder;
  const std::string before = environment("CLMX_CACHE_DIR").value_or("");
  ::setenv("CLMX_CACHE_DIR", folder.path().c_str(), 1);
  for (const Device& device : test_devices()) {
    SCOPED_TRACE(device.info().selector);
    const DeviceSpeed speed = stored_or_measured_speed(device);
    EXPECT_GT(speed.stream_bytes_per_s, 1e8);
    EXPECT_LT(speed.stream_bytes_per_s, 1e14);
    EXPECT_GT(speed.launch_s, 1e-8);
    EXPECT_LT(speed.launch_s, 1e-1);
    const auto kept = stored_self_check(device.info());
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->status, SelfCheckStatus::not_run);
    EXPECT_EQ(kept->speed.stream_bytes_per_s, speed.stream_bytes_per_s);
    EXPECT_EQ(stored_or_measured_speed(device).launch_s, speed.launch_s);
  }
  before.empty() ? ::unsetenv("CLMX_CACHE_DIR") : ::setenv("CLMX_CACHE_DIR", before.c_str(), 1);
}

TEST(DeviceSpeed, GivesTokensFromBytesAndLaunches) {
  EXPECT_DOUBLE_EQ(estimated_tokens_per_s({1e9, 1e-5}, 1e8, 1e4), 1 / (0.1 + 0.1));
  EXPECT_EQ(estimated_tokens_per_s({}, 1e8, 100), 0);
}

}  // namespace
}  // namespace clmx
