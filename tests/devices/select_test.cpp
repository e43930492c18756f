#include "select.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "clmx/devices/selection.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

DeviceInfo made_up(const char* selector, const char* platform, const char* name, DeviceType type,
                   int platform_index) {
  DeviceInfo info;
  info.selector = selector;
  info.platform = platform;
  info.name = name;
  info.type = type;
  info.platform_index = platform_index;
  return info;
}

// In the stable order: GPUs, then CPUs, the emulated one last.
std::vector<DeviceInfo> machine() {
  std::vector<DeviceInfo> devices{
      made_up("intel:0", "Intel(R) OpenCL Graphics", "Arc A770", DeviceType::gpu, 3),
      made_up("nvidia:0", "NVIDIA CUDA", "RTX 4090", DeviceType::gpu, 1),
      made_up("nvidia:1", "NVIDIA CUDA", "RTX 4090", DeviceType::gpu, 1),
      made_up("intel:1", "Intel(R) OpenCL", "Intel Xeon", DeviceType::cpu, 2),
      made_up("pocl:0", "Portable Computing Language", "pthread-Intel Xeon", DeviceType::cpu, 0),
      made_up("rusticl:0", "rusticl", "llvmpipe", DeviceType::cpu, 4)};
  devices[2].device_index = 1;
  devices[0].id = "0a11";
  devices[1].id = "0b22";
  devices[2].id = "0b33";
  devices[4].id = "0c44";
  devices[4].compute_units = devices[4].max_sub_devices = 8;
  devices[5].device_class = DeviceClass::emulated;
  return devices;
}

std::size_t pick(std::string_view selector) {
  return select_one(machine(), selector).device;
}

Selection part(std::string_view selector) {
  return select_one(machine(), selector);
}

std::vector<Selection> whole(std::initializer_list<std::size_t> devices) {
  std::vector<Selection> selected;
  for (const std::size_t device : devices) selected.push_back({device, 0});
  return selected;
}

std::string complaint(std::string_view selector) {
  return message_of<DeviceNotFound>([&] { pick(selector); });
}

TEST(Select, TakesTheFirstOfAnAliasWithoutNumber) {
  EXPECT_EQ(pick("intel"), 0u);
  EXPECT_EQ(pick("nvidia"), 1u);
  EXPECT_EQ(pick("pocl"), 4u);
  EXPECT_EQ(pick("rusticl"), 5u);
}

TEST(Select, MatchesAnAliasOnThePlatformNotTheDeviceName) {
  EXPECT_EQ(pick("intel:1"), 3u);
  EXPECT_THAT(complaint("intel:2"), HasSubstr("no such device"));
}

TEST(Select, CountsTypesInTheStableOrder) {
  EXPECT_EQ(pick("gpu"), 0u);
  EXPECT_EQ(pick("gpu:2"), 2u);
  EXPECT_EQ(pick("cpu"), 3u);
  EXPECT_EQ(pick("cpu:2"), 5u);
  EXPECT_THAT(complaint("accelerator"), HasSubstr("no such device"));
}

TEST(Select, FindsPlatformAndDevicePositions) {
  EXPECT_EQ(pick("1.1"), 2u);
  EXPECT_EQ(pick("0.0"), 4u);
  EXPECT_THAT(complaint("0.1"), HasSubstr("no such device"));
  EXPECT_THAT(complaint("1."), HasSubstr("platform.device"));
  EXPECT_THAT(complaint("1"), HasSubstr("platform.device"));
}

TEST(Select, FindsTheStartOfAnId) {
  EXPECT_EQ(pick("id=0a11"), 0u);
  EXPECT_EQ(pick("id=0B2"), 1u);
  EXPECT_THAT(complaint("id=0b"), HasSubstr("several"));
  EXPECT_THAT(complaint("id=ff"), HasSubstr("no such device"));
  EXPECT_THAT(complaint("id="), HasSubstr("hexadecimal"));
}

TEST(Select, FindsAPartOfANameInAnyCase) {
  EXPECT_EQ(pick("name~rtx"), 1u);
  EXPECT_EQ(pick("name~PTHREAD"), 4u);
  EXPECT_THAT(complaint("name~"), HasSubstr("part of a name"));
}

TEST(Select, NamesUnitsOfADeviceAfterEveryFormOfSelector) {
  for (const char* selector :
       {"pocl/3", "pocl:0/3", "cpu:1/3", "0.0/3", "id=0c44/3", "name~pthread/3", " pocl/3 "}) {
    EXPECT_EQ(part(selector), (Selection{4, 3})) << selector;
  }
}

TEST(Select, AllUnitsAreTheDeviceItself) {
  EXPECT_EQ(part("pocl/8"), (Selection{4, 0}));
  EXPECT_EQ(part("pocl"), (Selection{4, 0}));
}

TEST(Select, RefusesSubDevicesThatCannotBeMade) {
  EXPECT_THAT(complaint("pocl/0"), HasSubstr("at least one"));
  EXPECT_THAT(complaint("pocl/9"), HasSubstr("only 8 compute units"));
  EXPECT_THAT(complaint("rusticl/1"), HasSubstr("cannot be divided"));
  EXPECT_THAT(complaint("rusticl/1"), HasSubstr("pocl:0"));
  for (const char* selector : {"pocl/", "pocl/x", "pocl/-1", "pocl/1.5", "id=0c44/", "0.0/ 1"}) {
    EXPECT_THAT(complaint(selector), HasSubstr("must be a number")) << selector;
  }
  EXPECT_THAT(complaint("pocl:1/1"), HasSubstr("no such device"));
  EXPECT_THAT(complaint("/1"), HasSubstr("empty"));
  EXPECT_THAT(complaint("pocl/1/1"), HasSubstr("not a selector"));
  EXPECT_THAT(complaint("all/1"), HasSubstr("not a selector"));
}

TEST(Select, ANumberAfterASlashIsPartOfANameThatHasIt) {
  std::vector<DeviceInfo> devices = machine();
  devices[4].name = "board 7/2 rev";
  EXPECT_EQ(select_one(devices, "name~7/2"), (Selection{4, 0}));
  EXPECT_EQ(select_one(devices, "name~7/2/2"), (Selection{4, 2}));
  EXPECT_EQ(select_one(devices, "name~board/2"), (Selection{4, 2}));
  EXPECT_EQ(select_one(devices, "name~7/2 r"), (Selection{4, 0}));
}

TEST(Select, FindsADevicesOwnSelectorWhateverItsType) {
  std::vector<DeviceInfo> devices = machine();
  devices[4].platform = "Something else";
  devices[4].selector = "cpu:1";
  devices[4].type = DeviceType::gpu;  // as CLMX_PRETEND has it
  EXPECT_EQ(select_one(devices, "cpu:1"), (Selection{4, 0}));
}

TEST(Select, RefusesWhatIsNoSelectorAndListsTheCandidates) {
  for (const char* selector :
       {"", "cuda", "pocl:", "pocl:x", "pocl:-1", "pocl:1:2", "gpu:99999999999"}) {
    EXPECT_THAT(complaint(selector), AllOf(HasSubstr("intel:0"), HasSubstr("rusticl:0")))
        << selector;
  }
  EXPECT_THAT(message_of<DeviceNotFound>([] { select_one({}, "gpu"); }),
              HasSubstr("no OpenCL devices"));
}

TEST(SelectList, KeepsTheOrderAndDropsDuplicates) {
  EXPECT_EQ(select_several(machine(), "pocl, gpu,intel:0,0.0,pocl/8"), whole({4, 0}));
  EXPECT_THAT(select_several(machine(), "pocl/1,pocl,pocl:0/1,pocl/2"),
              ElementsAre(Selection{4, 1}, Selection{4, 0}, Selection{4, 2}));
}

TEST(SelectList, TakesAllDevices) {
  EXPECT_EQ(select_several(machine(), "all"), whole({0, 1, 2, 3, 4, 5}));
  EXPECT_THROW(select_several({}, "all"), DeviceNotFound);
}

TEST(SelectList, RefusesAnEmptyItem) {
  EXPECT_THROW(select_several(machine(), "pocl,,gpu"), DeviceNotFound);
  EXPECT_THROW(select_several(machine(), "pocl,"), DeviceNotFound);
}

TEST(PlatformAlias, KnowsTheUsualPlatforms) {
  EXPECT_EQ(platform_alias("AMD Accelerated Parallel Processing"), "amd");
  EXPECT_EQ(platform_alias("Apple"), "apple");
  EXPECT_EQ(platform_alias("ARM Platform"), "mali");
  EXPECT_EQ(platform_alias("QUALCOMM Snapdragon(TM)"), "adreno");
  EXPECT_EQ(platform_alias("Something else"), "");
}

}  // namespace
}  // namespace clmx
