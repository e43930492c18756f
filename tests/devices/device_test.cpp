#include "clmx/devices/device.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <set>

#include "clmx/devices/error.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

TEST(Device, EverySelectorAndIdFindsItsDevice) {
  for (const Device& device : Device::all()) {
    const DeviceInfo& info = device.info();
    EXPECT_EQ(Device::select(info.selector), device);
    EXPECT_EQ(Device::select("id=" + info.id), device);
    EXPECT_EQ(Device::select(join(info.platform_index, '.', info.device_index)), device);
  }
}

TEST(Device, IdsAreDistinct) {
  std::set<std::string> ids;
  for (const Device& device : Device::all()) ids.insert(device.info().id);
  EXPECT_EQ(ids.size(), Device::all().size());
}

TEST(Device, InfoIsPlausible) {
  for (const Device& device : test_devices()) {
    const DeviceInfo& info = device.info();
    EXPECT_FALSE(info.name.empty());
    EXPECT_FALSE(info.platform.empty());
    EXPECT_GT(info.compute_units, 0);
    EXPECT_GT(info.max_allocation_bytes, std::size_t{1} << 20);
    EXPECT_LE(info.max_allocation_bytes, info.global_bytes);
    EXPECT_EQ(info.device_class == DeviceClass::emulated,
              info.type == DeviceType::cpu && info.native_float_width == 1);
  }
}

TEST(Device, EmulatedDevicesComeLast) {
  bool emulated = false;
  for (const Device& device : Device::all()) {
    EXPECT_FALSE(emulated && device.info().device_class != DeviceClass::emulated);
    emulated = device.info().device_class == DeviceClass::emulated;
  }
}

TEST(Device, DefaultStreamIsOnePerDevice) {
  const Device device = test_devices().front();
  EXPECT_EQ(device.default_stream(), default_stream(device));
  EXPECT_FALSE(device.new_stream() == device.default_stream());
}

TEST(DefaultDevice, FollowsTheEnvironmentThenTheCaller) {
  const Device last = Device::all().back();
  ASSERT_EQ(::setenv("CLMX_DEVICE", last.info().selector.c_str(), 1), 0);
  EXPECT_EQ(default_device(), last);
  ASSERT_EQ(::setenv("CLMX_DEVICE", "nothing-like-it", 1), 0);
  EXPECT_THROW(default_device(), DeviceNotFound);
  set_default_device(Device::all().front());
  EXPECT_EQ(default_device(), Device::all().front());
  ::unsetenv("CLMX_DEVICE");
}

TEST(Environment, AnEmptyVariableIsAbsent) {
  ::setenv("CLMX_TEST_VALUE", "", 1);
  EXPECT_EQ(environment("CLMX_TEST_VALUE"), std::nullopt);
  ::setenv("CLMX_TEST_VALUE", "x", 1);
  EXPECT_EQ(environment("CLMX_TEST_VALUE"), "x");
  ::unsetenv("CLMX_TEST_VALUE");
}

TEST(Environment, ReadsBytesWithSuffixes) {
  const auto bytes_of = [](const char* text) {
    ::setenv("CLMX_TEST_VALUE", text, 1);
    return environment_bytes("CLMX_TEST_VALUE");
  };
  EXPECT_EQ(bytes_of("123"), 123u);
  EXPECT_EQ(bytes_of("2K"), 2048u);
  EXPECT_EQ(bytes_of("3M"), std::size_t{3} << 20);
  EXPECT_EQ(bytes_of("1G"), std::size_t{1} << 30);
  EXPECT_EQ(bytes_of(""), std::nullopt);
  for (const char* malformed : {"K", "1k", "1KB", "-1", "1.5G", "99999999999G", " 1"}) {
    EXPECT_THROW(bytes_of(malformed), ArgumentError) << malformed;
  }
  ::unsetenv("CLMX_TEST_VALUE");
}

TEST(WrapsHostMemory, IsNeverTrueWithoutUnifiedMemory) {
  for (const Device& device : test_devices()) {
    EXPECT_LE(device.wraps_host_memory(), device.info().unified_memory);
  }
}

}  // namespace
}  // namespace clmx
