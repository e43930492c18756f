#include "pretend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "support/temp_folder.hpp"

namespace clmx {
namespace {

using testing::HasSubstr;

DeviceInfo large_cpu() {
  DeviceInfo info;
  info.id = "0123";
  info.selector = "intel:0";
  info.type = DeviceType::cpu;
  info.device_class = DeviceClass::cpu_vector;
  info.native_float_width = 16;
  info.subgroup_size = 64;
  info.max_work_group_size = 8192;
  info.local_bytes = std::size_t{256} << 10;
  info.max_allocation_bytes = std::size_t{12} << 30;
  info.max_parameter_bytes = 4096;
  info.unified_memory = info.fp16 = info.fp64 = info.int_dot = true;
  return info;
}

DeviceInfo smaller_than_any_profile() {
  DeviceInfo info;
  info.max_work_group_size = 32;
  info.local_bytes = 8192;
  info.max_allocation_bytes = std::size_t{64} << 20;
  info.max_parameter_bytes = 512;
  return info;
}

TEST(Pretend, EveryProfileLowersTheLimitsOfALargeDevice) {
  for (const char* name : {"mali", "gcn", "gen9"}) {
    const DeviceInfo info = pretend(large_cpu(), pretend_profile(name));
    EXPECT_EQ(info.pretends, name);
    EXPECT_EQ(info.type, DeviceType::gpu);
    EXPECT_GE(info.max_allocation_bytes, std::size_t{128} << 20);
    EXPECT_LE(info.max_allocation_bytes, std::size_t{256} << 20);
    EXPECT_GE(info.local_bytes, std::size_t{16} << 10);
    EXPECT_LE(info.local_bytes, std::size_t{32} << 10);
    EXPECT_FALSE(info.fp16 || info.fp64 || info.int_dot);
    EXPECT_EQ(info.id, "0123");
    EXPECT_EQ(info.selector, "intel:0");
  }
  EXPECT_EQ(pretend(large_cpu(), pretend_profile("mali")).max_work_group_size, 64u);
  EXPECT_EQ(pretend(large_cpu(), pretend_profile("gcn")).max_work_group_size, 256u);
}

TEST(Pretend, TheClassFollowsTheSubGroupsThatTheRealDeviceHas) {
  DeviceInfo without = large_cpu();
  without.subgroup_size = 0;
  EXPECT_EQ(pretend(large_cpu(), pretend_profile("mali")).device_class, DeviceClass::gpu_plain);
  EXPECT_EQ(pretend(large_cpu(), pretend_profile("gcn")).device_class, DeviceClass::gpu_subgroup);
  EXPECT_EQ(pretend(large_cpu(), pretend_profile("gen9")).device_class, DeviceClass::gpu_subgroup);
  EXPECT_EQ(pretend(without, pretend_profile("gen9")).device_class, DeviceClass::gpu_plain);
}

TEST(Pretend, NeverClaimsWhatTheRealDeviceLacks) {
  for (const char* name : {"mali", "gcn", "gen9"}) {
    const DeviceInfo real = smaller_than_any_profile();
    const DeviceInfo info = pretend(real, pretend_profile(name));
    EXPECT_EQ(info.max_work_group_size, real.max_work_group_size);
    EXPECT_EQ(info.local_bytes, real.local_bytes);
    EXPECT_EQ(info.max_allocation_bytes, real.max_allocation_bytes);
    EXPECT_EQ(info.max_parameter_bytes, real.max_parameter_bytes);
    EXPECT_FALSE(info.unified_memory || info.fp16 || info.fp64);
    EXPECT_EQ(info.subgroup_size, 0);
  }
}

TEST(Pretend, OnlyTheDiscreteProfileCopiesItsWeights) {
  EXPECT_TRUE(pretend(large_cpu(), pretend_profile("mali")).unified_memory);
  EXPECT_TRUE(pretend(large_cpu(), pretend_profile("gen9")).unified_memory);
  EXPECT_FALSE(pretend(large_cpu(), pretend_profile("gcn")).unified_memory);
}

TEST(PretendProfile, ComesFromAFileToo) {
  const TempFolder folder;
  const std::string path = folder.write("small.json", R"({"max_work_group": 16, "fp16": true,
      "local_bytes": 20000, "max_allocation": 1000000, "subgroups": 8, "type": "accelerator"})");
  const DeviceInfo info = pretend(large_cpu(), pretend_profile(path));
  EXPECT_EQ(info.pretends, path);
  EXPECT_EQ(info.type, DeviceType::accelerator);
  EXPECT_EQ(info.device_class, DeviceClass::gpu_subgroup);
  EXPECT_EQ(info.max_work_group_size, 16u);
  EXPECT_EQ(info.local_bytes, 20000u);
  EXPECT_EQ(info.max_allocation_bytes, 1000000u);
  EXPECT_EQ(info.subgroup_size, 8);
  EXPECT_TRUE(info.fp16);
  EXPECT_FALSE(info.fp64);
}

TEST(PretendProfile, RefusesWhatItDoesNotUnderstand) {
  const TempFolder folder;
  const auto refused = [&](const char* text) -> std::string {
    try {
      pretend_profile(folder.write("profile.json", text));
    } catch (const ArgumentError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refused("[]"), HasSubstr("JSON object"));
  EXPECT_THAT(refused("{\"fp16\": tru"), HasSubstr("JSON object"));
  EXPECT_THAT(refused("{\"fp17\": true}"), HasSubstr("unknown field 'fp17'"));
  EXPECT_THAT(refused("{\"fp16\": 1}"), HasSubstr("true or false"));
  EXPECT_THAT(refused("{\"max_work_group\": 0}"), HasSubstr("at least 1"));
  EXPECT_THAT(refused("{\"max_work_group\": -4}"), HasSubstr("at least 1"));
  EXPECT_THAT(refused("{\"local_bytes\": 1.5}"), HasSubstr("at least 1"));
  EXPECT_THAT(refused("{\"subgroups\": \"many\"}"), HasSubstr("at least 0"));
  EXPECT_THAT(refused("{\"type\": \"fpga\"}"), HasSubstr("accelerator"));
  EXPECT_THROW(pretend_profile("/nowhere/profile.json"), ArgumentError);
  EXPECT_THROW(pretend_profile(folder.path()), ArgumentError);
  EXPECT_THROW(pretend_profile("Mali"), ArgumentError);
}

}  // namespace
}  // namespace clmx
