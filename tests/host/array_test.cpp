#include "clmx/host/array.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "clmx/devices/error.hpp"
#include "devices/test_kernels.hpp"

namespace clmx {
namespace {

TEST(Array, HoldsValuesWithoutADevice) {
  const Array array = Array::from(counting(6), Shape{2, 3});
  EXPECT_EQ(array.to_vector<float>(), counting(6));
  EXPECT_TRUE(array.ready());
  EXPECT_FALSE(array.home().has_value());
  EXPECT_EQ(Array(2.5f).item<float>(), 2.5f);
  EXPECT_EQ(Array(2.5f).rank(), 0);
  EXPECT_EQ(Array().size(), 0);
}

TEST(Array, ViewsShareTheStorage) {
  const Array array = Array::from(counting(12), Shape{4, 3});
  const Array rows = array.rows(1, 3);
  EXPECT_EQ(rows.to_vector<float>(), (std::vector<float>{3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(rows.reshape(Shape{3, 2}).rows(2, 3).to_vector<float>(), (std::vector<float>{7, 8}));
  EXPECT_EQ(rows.storage(), array.storage());
  EXPECT_EQ(rows.map<float>()[0], 3.0f);
}

TEST(Array, RefusesWrongSizesDtypesAndAlignment) {
  EXPECT_THROW(Array::from(counting(5), Shape{2, 3}), ArgumentError);
  const Array array = Array::from(counting(6), Shape{2, 3});
  EXPECT_THROW(array.to_vector<std::int32_t>(), ArgumentError);
  EXPECT_THROW(array.item<float>(), ArgumentError);
  EXPECT_THROW(array.reshape(Shape{7}), ArgumentError);
  EXPECT_THROW(array.rows(1, 3), ArgumentError);
  EXPECT_THROW(Array(1.0f).rows(0, 1), ArgumentError);
  const HostBytes bytes = HostBytes::own(counting(3));
  EXPECT_THROW(Array::wrap({bytes.bytes.subspan(1, 4), bytes.owner}, Shape{1}, DType::f32),
               ArgumentError);
}

TEST(Array, TravelsToEveryDeviceAndBack) {
  for (const Device& device : Device::all()) {
    const Array there = Array::from(counting(1000), Shape{1000}).to(device);
    EXPECT_EQ(there.to_vector<float>(), counting(1000)) << device.info().selector;
    EXPECT_EQ(there.rows(10, 12).to_vector<float>(), (std::vector<float>{10, 11}));
  }
}

TEST(Array, TravelsBetweenDevicesOnce) {
  for (const Device& from : Device::all()) {
    const Buffer buffer = Buffer::allocate(from.default_stream(), 64);
    from.default_stream().fill(buffer, 0, 64, 7);
    const Array array = Array::wrap(buffer, Shape{64}, DType::u8, from.default_stream());
    for (const Device& to : Device::all()) {
      const BufferArgument first = array.on(to.default_stream());
      EXPECT_EQ(first.buffer, array.on(to.default_stream()).buffer);
      EXPECT_EQ(array.to(to).to_vector<std::uint8_t>(), std::vector<std::uint8_t>(64, 7));
    }
  }
}

TEST(Array, IsOrderedAcrossStreamsOfOneDevice) {
  for (const Device& device : Device::all()) {
    const Stream writer = device.new_stream(), reader = device.new_stream();
    for (int round = 0; round < 20; ++round) {
      const Buffer buffer = Buffer::allocate(writer, 1 << 16);
      writer.fill(buffer, 0, 1 << 16, static_cast<std::uint8_t>(round));
      const Array array = Array::wrap(buffer, Shape{1 << 16}, DType::u8, writer);
      const Buffer copy = Buffer::allocate(reader, 1 << 16);
      reader.copy(array.on(reader).buffer, 0, copy, 0, 1 << 16);
      const Array seen = Array::wrap(copy, Shape{1 << 16}, DType::u8, reader);
      ASSERT_EQ(seen.to_vector<std::uint8_t>(),
                std::vector<std::uint8_t>(1 << 16, static_cast<std::uint8_t>(round)));
    }
  }
}

TEST(Array, MayBeUsedByManyThreads) {
  const Array array = Array::from(counting(4096), Shape{4096});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (const Device& device : Device::all())
        EXPECT_EQ(array.to(device).to_vector<float>(), counting(4096));
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(StreamScope, RoutesOpsThatNameNoStream) {
  if (Device::all().empty()) GTEST_SKIP() << "no device";
  const Stream stream = Device::all().front().new_stream();
  {
    const StreamScope scope(stream);
    EXPECT_EQ(StreamOrDevice().resolve(), stream);
    const Stream inner = Device::all().back().new_stream();
    const StreamScope nested(inner);
    EXPECT_EQ(StreamOrDevice().resolve(), inner);
    EXPECT_EQ(StreamOrDevice(stream).resolve(), stream);
  }
  EXPECT_EQ(StreamOrDevice().resolve(), default_device().default_stream());
}

}  // namespace
}  // namespace clmx
