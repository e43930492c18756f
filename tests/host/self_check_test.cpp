#include "clmx/host/self_check.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "features.hpp"
#include "op_case.hpp"
#include "self_check_cases.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

TEST(SelfCheckCases, AreRegisteredCasesOfEveryOp) {
  std::set<std::string> ops;
  for (const std::string_view name : self_check_case_names()) {
    const auto found = std::ranges::find(all_cases(), name, &OpCase::name);
    ASSERT_NE(found, all_cases().end()) << name;
    EXPECT_FALSE(found->traits.subnormal) << name;
    ops.insert(found->call.op);
  }
  for (const Op& op : all_ops()) EXPECT_TRUE(ops.contains(op.name)) << op.name;
  EXPECT_GE(self_check_cases().size(), 60U);
  EXPECT_TRUE(std::ranges::any_of(self_check_cases(), &CheckCase::quick));
}

TEST(SelfCheckCases, AreSmallEnoughForEmulatedDevices) {
  for (const std::string_view name : self_check_case_names()) {
    const auto found = std::ranges::find(all_cases(), name, &OpCase::name);
    const Inputs inputs = found->inputs(1);
    EXPECT_TRUE(fits(cost(*found, inputs), DeviceClass::emulated)) << name;
  }
}

TEST(SelfCheckRun, PassesInAProcessOfItsOwnOnEveryDevice) {
  for (const Device& device : test_devices()) {
    const SelfCheck check = run_self_check(device);
    EXPECT_EQ(check.status, SelfCheckStatus::ok) << describe(check);
    EXPECT_GT(check.total, 0);
    EXPECT_EQ(check.passed, check.total);
    EXPECT_FALSE(check.full);
    const auto stored = stored_self_check(device.info());
    ASSERT_TRUE(stored);
    EXPECT_EQ(encode(*stored), encode(check));
    for (const std::string& proved : check.features) {
      const auto feature = std::ranges::find(features(), proved, &Feature::name);
      ASSERT_NE(feature, features().end()) << proved;
      EXPECT_TRUE(feature->may_work(device.info())) << proved;
    }
  }
}

TEST(SelfCheckRun, ProvesNothingWithoutAProgram) {
  const Device device = test_devices().front();
  set_self_check_program("");
  EXPECT_EQ(run_self_check(device).status, SelfCheckStatus::not_run);
  set_self_check_program("/nowhere/at/all");
  EXPECT_NE(run_self_check(device).status, SelfCheckStatus::ok);
  set_self_check_program("/proc/self/exe");
}

TEST(SelfCheckServe, RefusesWhatItDoesNotUnderstand) {
  const std::vector<std::string> none, odd{"--device"}, incomplete{"--device", "pocl"};
  EXPECT_EQ(serve_self_check(none, {}), 2);
  EXPECT_EQ(serve_self_check(odd, {}), 2);
  EXPECT_EQ(serve_self_check(incomplete, {}), 2);
}

}  // namespace
}  // namespace clmx
