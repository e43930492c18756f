#include "memory_pool.hpp"

#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "clmx/devices/opencl_interop.hpp"
#include "last_uses.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

TEST(PooledCapacity, WastesAtMostAnEighthOrAStep) {
  EXPECT_EQ(pooled_capacity(1), 256u);
  EXPECT_EQ(pooled_capacity(256), 256u);
  EXPECT_EQ(pooled_capacity(257), 512u);
  for (std::size_t bytes = 1; bytes < 100'000'000; bytes += bytes / 3 + 1) {
    const std::size_t capacity = pooled_capacity(bytes);
    EXPECT_GE(capacity, bytes);
    EXPECT_LE(capacity, bytes + std::max<std::size_t>(bytes / 8, 255));
    EXPECT_EQ(pooled_capacity(capacity), capacity);
  }
}

TEST(LastUses, KeepsTheLastOfEachStream) {
  LastUses uses;
  EXPECT_TRUE(uses.all().empty());
  for (const Use use : {Use{1, 5}, Use{1, 6}, Use{2, 1}, Use{1, 9}, Use{3, 2}, Use{2, 4}}) {
    uses.note(use);
  }
  std::vector<std::uint64_t> last(4);
  ASSERT_EQ(uses.all().size(), 3u);
  for (const Use& use : uses.all()) last[use.stream] = use.sequence;
  EXPECT_EQ(last, (std::vector<std::uint64_t>{0, 9, 4, 2}));
}

TEST(MemoryPool, ABlockIsReusedAtOnceOnItsStream) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    Buffer first = upload(stream, counting(1000));
    const auto memory = as_cl_mem(first);
    first = Buffer();
    EXPECT_EQ(as_cl_mem(Buffer::allocate(stream, 3990)), memory);
  }
}

TEST(MemoryPool, AnotherStreamGetsTheBlockOnlyAfterItsLastUse) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream(), other = device.new_stream();
    device.trim_memory();
    Buffer first = upload(stream, counting(1000));
    const auto memory = as_cl_mem(first);
    first = Buffer();
    const Buffer early = Buffer::allocate(other, 4000);
    EXPECT_NE(as_cl_mem(early), memory);
    stream.synchronize();
    EXPECT_EQ(as_cl_mem(Buffer::allocate(other, 4000)), memory);
  }
}

TEST(MemoryPool, CountsActivePeakAndCachedBytes) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    device.trim_memory();
    device.reset_peak_memory();
    const MemoryStats before = device.memory();
    EXPECT_EQ(before.cached_bytes, 0u);
    Buffer pooled = Buffer::allocate(stream, 4096);
    Buffer weights = Buffer::allocate_unpooled(device, 1000);
    EXPECT_EQ(device.memory().active_bytes, before.active_bytes + 5096);
    pooled = Buffer();
    weights = Buffer();
    EXPECT_EQ(device.memory().active_bytes, before.active_bytes);
    EXPECT_EQ(device.memory().peak_bytes, before.active_bytes + 5096);
    EXPECT_EQ(device.memory().cached_bytes, 4096u) << "weights bypass the pool";
    device.trim_memory();
    EXPECT_EQ(device.memory().cached_bytes, 0u);
  }
}

TEST(MemoryPool, RefusesMoreThanTheDeviceHas) {
  for (const Device& device : test_devices()) {
    // Untouched memory costs nothing where the system gives pages at their first use.
    if (device.info().device_class != DeviceClass::cpu_vector) continue;
    const std::size_t largest = device.info().max_allocation_bytes;
    std::vector<Buffer> held;
    const auto fill_up = [&] {
      while (true) held.push_back(Buffer::allocate_unpooled(device, largest));
    };
    EXPECT_THROW(fill_up(), OutOfMemory);
    EXPECT_LE(held.size(), device.info().global_bytes / largest);
    EXPECT_GE(held.size(), 1u);
  }
}

}  // namespace
}  // namespace clmx
