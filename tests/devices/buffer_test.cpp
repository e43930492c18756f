#include "clmx/devices/buffer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "clmx/devices/opencl_interop.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

using testing::HasSubstr;

TEST(Buffer, AnEmptyOneHasNoDevice) {
  EXPECT_EQ(Buffer().size(), 0u);
  EXPECT_FALSE(Buffer());
  EXPECT_THROW(Buffer().device(), ArgumentError);
}

TEST(Buffer, ZeroBytesAreLegalEverywhere) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    for (const Buffer& buffer :
         {Buffer::allocate(stream, 0), Buffer::allocate_unpooled(device, 0)}) {
      EXPECT_EQ(buffer.size(), 0u);
      EXPECT_EQ(buffer.device(), device);
      stream.write(buffer, 0, {});
      stream.read(buffer, 0, {});
      stream.fill(buffer, 0, 0, 1);
      stream.copy(buffer, 0, buffer, 0, 0);
      EXPECT_EQ(stream.map(buffer, 0, 0).size(), 0u);
    }
  }
}

TEST(Buffer, RefusesMoreThanTheLargestAllocation) {
  for (const Device& device : test_devices()) {
    const std::size_t too_large = device.info().max_allocation_bytes + 1;
    EXPECT_THAT(
        message_of<OutOfMemory>([&] { Buffer::allocate(device.default_stream(), too_large); }),
        HasSubstr(std::to_string(device.info().max_allocation_bytes)));
    EXPECT_THROW(Buffer::allocate_unpooled(device, too_large), OutOfMemory);
  }
}

TEST(Transfers, KeepEveryByte) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    for (const std::size_t count : {std::size_t{1}, std::size_t{1000}, std::size_t{200000}}) {
      const std::vector<float> values = counting(count);
      const Buffer buffer = upload(stream, values);
      EXPECT_EQ(download(stream, buffer), values);
    }
  }
}

TEST(Transfers, AWriteMayReuseItsBytesAtOnce) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    std::vector<Buffer> buffers;
    std::vector<float> values(256);
    for (int i = 0; i < 50; ++i) {
      std::fill(values.begin(), values.end(), static_cast<float>(i));
      buffers.push_back(upload(stream, values));
    }
    std::fill(values.begin(), values.end(), -1.0f);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(download(stream, buffers[i]), std::vector<float>(256, static_cast<float>(i)));
    }
  }
}

TEST(Transfers, FillCopyAndMapWindows) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Buffer from = upload(stream, counting(16)), to = Buffer::allocate(stream, 64);
    stream.fill(to, 0, 64, 0);
    stream.copy(from, 8, to, 16, 12);
    std::vector<float> wanted(16, 0.0f);
    wanted[4] = 2, wanted[5] = 3, wanted[6] = 4;
    EXPECT_EQ(download(stream, to), wanted);
    const MappedBuffer window = stream.map(to, 16, 12);
    ASSERT_EQ(window.size(), 12u);
    EXPECT_EQ(reinterpret_cast<const float*>(window.data())[1], 3.0f);
  }
}

TEST(Transfers, RefuseWindowsPastTheEnd) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Buffer buffer = Buffer::allocate(stream, 16);
    std::vector<std::byte> bytes(8);
    EXPECT_THROW(stream.write(buffer, 9, bytes), ArgumentError);
    EXPECT_THROW(stream.read(buffer, 17, {}), ArgumentError);
    EXPECT_THROW(stream.read(buffer, SIZE_MAX - 3, bytes), ArgumentError);
    EXPECT_THROW(stream.fill(buffer, 0, 17, 0), ArgumentError);
    EXPECT_THROW(stream.map(buffer, 16, 1), ArgumentError);
    EXPECT_THROW(stream.copy(buffer, 0, buffer, 4, 8), ArgumentError) << "they overlap";
    EXPECT_THROW(stream.write(Buffer(), 0, bytes), ArgumentError);
  }
}

TEST(Transfers, AreCounted) {
  const Device device = test_devices().front();
  const Stream stream = device.new_stream();
  const TransferStats before = transfer_stats();
  download(stream, upload(stream, counting(10)));
  const TransferStats after = transfer_stats();
  EXPECT_EQ(after.uploads, before.uploads + 1);
  EXPECT_EQ(after.uploaded_bytes, before.uploaded_bytes + 40);
  EXPECT_EQ(after.downloaded_bytes, before.downloaded_bytes + 40);
}

TEST(Wrap, KernelsReadTheHostsBytesWhichLiveAsLongAsTheyAreUsed) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    if (!device.wraps_host_memory()) {
      EXPECT_THROW(Buffer::wrap(device, HostBytes::own(counting(4))), ArgumentError);
      continue;
    }
    HostBytes host = HostBytes::own(counting(64));
    const std::weak_ptr<const void> alive = host.owner;
    const std::size_t active = device.memory().active_bytes;
    Buffer x = Buffer::wrap(device, std::move(host));
    EXPECT_EQ(device.memory().active_bytes, active) << "wrapped bytes are the host's";
    const Buffer y = Buffer::allocate(stream, 256);
    stream.launch(scale_kernel(device), Grid::linear(64, 32), BufferArgument{x}, BufferArgument{y},
                  64u);
    x = Buffer();
    EXPECT_EQ(download(stream, y), scaled(counting(64), 2));
    stream.synchronize();
    EXPECT_TRUE(alive.expired());
  }
}

TEST(Interop, BuffersTravelBothWays) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Buffer buffer = upload(stream, counting(8));
    const Buffer same = buffer_from_cl_mem(device, as_cl_mem(buffer));
    EXPECT_GE(same.size(), buffer.size());
    EXPECT_EQ(download(stream, same).at(5), 5.0f);
    EXPECT_EQ(as_cl_mem(Buffer()), nullptr);
    EXPECT_NE(as_cl_command_queue(stream), nullptr);
    EXPECT_NE(as_cl_device(device), nullptr);
    EXPECT_THROW(buffer_from_cl_mem(device, nullptr), ArgumentError);
  }
}

}  // namespace
}  // namespace clmx
