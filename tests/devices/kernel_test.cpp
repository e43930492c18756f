#include "clmx/devices/kernel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "clmx/devices/error.hpp"
#include "program.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

using testing::HasSubstr;

TEST(Grid, RoundsALinearSizeUpToWholeGroups) {
  const Grid grid = Grid::linear(65, 64);
  EXPECT_EQ(grid.global[0], 128u);
  EXPECT_EQ(grid.local[0], 64u);
  EXPECT_EQ(Grid::groups(3, 2, 1, 16).global[0], 48u);
}

TEST(BuildOptions, DoNotDependOnTheOrderOfConstants) {
  EXPECT_EQ(build_options({{"X", 1}, {"A", -4}}), "-cl-std=CL1.2 -D A=-4 -D X=1");
  EXPECT_EQ(build_options({{"X", 1}, {"A", -4}}), build_options({{"A", -4}, {"X", 1}}));
}

TEST(Kernel, IsBuiltOncePerSpec) {
  for (const Device& device : test_devices()) {
    const Kernel first = scale_kernel(device, 11);
    const auto before = build_stats();
    EXPECT_EQ(scale_kernel(device, 11).state(), first.state());
    EXPECT_NE(scale_kernel(device, 12).state(), first.state());
    const auto after = build_stats();
    EXPECT_EQ(after.compiled + after.loaded, before.compiled + before.loaded + 1);
    EXPECT_GT(after.build_seconds, before.build_seconds);
  }
}

TEST(Kernel, EntriesOfOneFileShareAProgram) {
  for (const Device& device : test_devices()) {
    scale_kernel(device, 13);
    const auto before = build_stats();
    const Kernel other = device.kernel({test_library(), "scale.cl", "add_one", {{"FACTOR", 13}}});
    EXPECT_EQ(other.entry(), "add_one");
    const auto after = build_stats();
    EXPECT_EQ(after.compiled + after.loaded, before.compiled + before.loaded);
  }
}

TEST(Kernel, IsBuiltOnceForManyThreads) {
  for (const Device& device : test_devices()) {
    const auto before = build_stats();
    std::vector<KernelState*> states(8);
    std::vector<std::thread> threads;
    for (KernelState*& state : states) {
      threads.emplace_back([&] { state = scale_kernel(device, 14).state(); });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_THAT(states, testing::Each(states.front()));
    const auto after = build_stats();
    EXPECT_EQ(after.compiled + after.loaded, before.compiled + before.loaded + 1);
  }
}

TEST(Kernel, ABrokenOneNamesFileLineOptionsAndLog) {
  for (const Device& device : test_devices()) {
    try {
      device.kernel({test_library(), "broken.cl", "broken", {{"FACTOR", 3}}});
      ADD_FAILURE() << "it was built";
    } catch (const KernelBuildError& error) {
      EXPECT_EQ(error.file(), "broken.cl");
      EXPECT_THAT(error.options(), HasSubstr("-D FACTOR=3"));
      EXPECT_THAT(error.log(), HasSubstr("broken.cl:3"));
      EXPECT_THAT(error.log(), HasSubstr("unheard_of"));
      EXPECT_THAT(std::string(error.what()), HasSubstr(device.info().selector));
    }
  }
}

TEST(Kernel, AMissingEntryOrFileIsAnError) {
  for (const Device& device : test_devices()) {
    EXPECT_THAT(message_of<DeviceError>([&] {
                  device.kernel({test_library(), "scale.cl", "nothing", {}});
                }),
                HasSubstr("nothing"));
    EXPECT_THROW(device.kernel({test_library(), "nothing.cl", "scale", {}}), KernelBuildError);
  }
}

TEST(Kernel, AllowsSensibleWorkGroups) {
  for (const Device& device : test_devices()) {
    const std::size_t limit = scale_kernel(device).max_work_group_size();
    EXPECT_GE(limit, 32u);
    EXPECT_LE(limit, device.info().max_work_group_size);
  }
}

}  // namespace
}  // namespace clmx
