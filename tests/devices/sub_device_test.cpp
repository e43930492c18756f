#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "clmx/devices/selection.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

TEST(SubDevice, IsADeviceOfItsOwnMadeOnce) {
  for (const Device& device : test_devices()) {
    const DeviceInfo& whole = device.info();
    if (whole.max_sub_devices < 2 || whole.compute_units < 2) continue;
    const Device part = Device::select(whole.selector + "/1");
    EXPECT_FALSE(part == device);
    EXPECT_EQ(part, sub_device(device, 1));
    EXPECT_EQ(part, Device::select("id=" + whole.id + "/1"));
    EXPECT_EQ(part.info().compute_units, 1);
    EXPECT_EQ(part.info().id, whole.id + "/1");
    EXPECT_EQ(part.info().selector, whole.selector + "/1");
    EXPECT_EQ(part.info().platform, whole.platform);
    EXPECT_EQ(std::count(Device::all().begin(), Device::all().end(), part), 0);
    EXPECT_EQ(sub_device(device, whole.compute_units), device);
    EXPECT_THROW(sub_device(part, 1), DeviceNotFound);
  }
}

TEST(SubDevice, ComputesAndAnswersLikeAWholeDevice) {
  for (const Device& device : test_devices()) {
    if (device.info().max_sub_devices < 2 || device.info().compute_units < 2) continue;
    const Device part = sub_device(device, 1);
    const Stream stream = part.new_stream();
    const Buffer x = upload(stream, counting(100));
    const Buffer y = Buffer::allocate(stream, x.size());
    stream.launch(scale_kernel(part), Grid::linear(100, 4), BufferArgument{x}, BufferArgument{y},
                  std::uint32_t{100});
    EXPECT_EQ(download(stream, y), scaled(counting(100), 2));
    EXPECT_GT(part.memory().active_bytes, 0u);
    EXPECT_EQ(part.wraps_host_memory(), device.wraps_host_memory());
  }
}

TEST(SubDevice, IsRefusedBeforeAnyCallWhereItCannotBeMade) {
  for (const Device& device : test_devices()) {
    const DeviceInfo& info = device.info();
    const auto refused = [&](int units) {
      return message_of<DeviceNotFound>([&] { Device::select(join(info.selector, '/', units)); });
    };
    EXPECT_THAT(refused(0), testing::HasSubstr("at least one"));
    if (info.max_sub_devices < 2) {
      EXPECT_THAT(refused(1), testing::HasSubstr("cannot be divided"));
      EXPECT_THAT(refused(info.compute_units), testing::HasSubstr("cannot be divided"));
    } else {
      EXPECT_THAT(refused(info.compute_units + 1), testing::HasSubstr("has only"));
    }
  }
}

}  // namespace
}  // namespace clmx
