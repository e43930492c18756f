#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "clmx/devices/error.hpp"
#include "clmx/devices/selection.hpp"
#include "support/temp_folder.hpp"

namespace clmx {
namespace {

using Verdicts = std::vector<std::optional<SelfCheck>>;

std::vector<DeviceInfo> three_devices() {
  std::vector<DeviceInfo> infos(3);
  infos[0].selector = "intel:0";
  infos[1].selector = "pocl:0";
  infos[2].selector = "rusticl:0";
  return infos;
}

std::optional<SelfCheck> verdict(SelfCheckStatus status) {
  SelfCheck check;
  check.status = status;
  check.passed = 58;
  check.total = 60;
  return check;
}

TEST(ChooseDefault, TakesTheFirstDeviceThatDidNotFail) {
  const auto ok = verdict(SelfCheckStatus::ok), failed = verdict(SelfCheckStatus::failed);
  EXPECT_EQ(choose_default(three_devices(), Verdicts(3)).device, 0u);
  EXPECT_EQ(choose_default(three_devices(), Verdicts{ok, failed, ok}).device, 0u);
  EXPECT_EQ(choose_default(three_devices(), Verdicts{failed, ok, ok}).device, 1u);
  EXPECT_EQ(choose_default(three_devices(), Verdicts{failed, std::nullopt, ok}).device, 1u);
  EXPECT_TRUE(choose_default(three_devices(), Verdicts{ok, failed, ok}).passed_over.empty());
}

TEST(ChooseDefault, SaysWhatItPassedOverAndWhy) {
  const DefaultChoice choice = choose_default(
      three_devices(),
      Verdicts{verdict(SelfCheckStatus::crashed), verdict(SelfCheckStatus::hung), std::nullopt});
  EXPECT_EQ(choice.device, 2u);
  ASSERT_EQ(choice.passed_over.size(), 2u);
  EXPECT_EQ(choice.passed_over[0].where, "intel:0");
  EXPECT_THAT(choice.passed_over[0].reason, testing::HasSubstr("crashed"));
  EXPECT_THAT(choice.passed_over[1].reason, testing::HasSubstr("hung"));
}

TEST(ChooseDefault, HasNoneWhereAllFailedOrThereAreNone) {
  const auto failed = verdict(SelfCheckStatus::failed);
  const DefaultChoice choice = choose_default(three_devices(), Verdicts{failed, failed, failed});
  EXPECT_EQ(choice.device, std::nullopt);
  EXPECT_EQ(choice.passed_over.size(), 3u);
  EXPECT_EQ(choose_default({}, {}).device, std::nullopt);
}

/// In a process of its own: 0 when the device taken is the one after the first, which failed.
int status_with_the_first_device_failed(bool strict) {
  const TempFolder cache;
  ::setenv("CLMX_CACHE_DIR", cache.path().c_str(), 1);
  ::setenv("CLMX_STRICT", strict ? "1" : "0", 1);
  ::unsetenv("CLMX_DEVICE");
  const auto all = Device::all();
  store_self_check(all.front().info(), *verdict(SelfCheckStatus::failed));
  if (Device::select(all.front().info().selector) != all.front()) return 1;
  try {
    const Device taken = default_device();  // throws where there is no second one
    return taken == all[1] && default_passed_over().size() == 1 ? 0 : 2;
  } catch (const DeviceNotFound& error) {
    return std::string(error.what()).find("58 of 60") != std::string::npos ? 3 : 4;
  }
}

TEST(DefaultDevice, PassesOverOneThatFailedUnlessItIsNamed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const int wanted = Device::all().size() > 1 ? 0 : 3;
  EXPECT_EXIT(std::_Exit(status_with_the_first_device_failed(false)),
              testing::ExitedWithCode(wanted), "");
  EXPECT_EXIT(std::_Exit(status_with_the_first_device_failed(true)), testing::ExitedWithCode(3),
              "");
}

}  // namespace
}  // namespace clmx
