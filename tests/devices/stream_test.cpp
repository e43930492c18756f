#include "clmx/devices/stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <thread>

#include "clmx/devices/error.hpp"
#include "test_kernels.hpp"

namespace clmx {
namespace {

using testing::HasSubstr;

TEST(Stream, LaunchesAKernel) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Buffer x = upload(stream, counting(1000)), y = Buffer::allocate(stream, 4000);
    stream.launch(scale_kernel(device), Grid::linear(1000, 64), BufferArgument{x},
                  BufferArgument{y}, 1000u);
    EXPECT_EQ(download(stream, y), scaled(counting(1000), 2));
  }
}

TEST(Stream, OffsetsCountElements) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Buffer x = upload(stream, counting(8)), y = upload(stream, counting(8));
    stream.launch(scale_kernel(device), Grid::linear(3, 1), BufferArgument{x, 2},
                  BufferArgument{y, 5}, 3u);
    EXPECT_EQ(download(stream, y), (std::vector<float>{0, 1, 2, 3, 4, 4, 6, 8}));
  }
}

TEST(Stream, SeesEachLaunchesOwnArguments) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Kernel kernel = scale_kernel(device);
    const Buffer x = upload(stream, counting(4));
    std::vector<Buffer> results;
    for (std::uint32_t i = 0; i < 8; ++i) {
      results.push_back(upload(stream, std::vector<float>(4, -1)));
      stream.launch(kernel, Grid::linear(4, 1), BufferArgument{x}, BufferArgument{results.back()},
                    i % 5);
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
      std::vector<float> wanted(4, -1);
      for (std::size_t k = 0; k < i % 5; ++k) wanted[k] = 2 * static_cast<float>(k);
      EXPECT_EQ(download(stream, results[i]), wanted) << i;
    }
  }
}

TEST(Stream, TakesLaunchesFromManyThreads) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Kernel kernel = scale_kernel(device, 3);
    std::vector<std::thread> threads;
    std::vector<std::vector<float>> results(4);
    for (std::size_t t = 0; t < results.size(); ++t) {
      threads.emplace_back([&, t] {
        for (int repeat = 0; repeat < 20; ++repeat) {
          const std::vector<float> values(64, static_cast<float>(t + 1));
          const Buffer x = upload(stream, values), y = Buffer::allocate(stream, 256);
          stream.launch(kernel, Grid::linear(64, 64), BufferArgument{x}, BufferArgument{y}, 64u);
          results[t] = download(stream, y);
          if (results[t] != scaled(values, 3)) break;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::size_t t = 0; t < results.size(); ++t) {
      EXPECT_EQ(results[t], std::vector<float>(64, 3 * static_cast<float>(t + 1)));
    }
  }
}

TEST(Stream, LetsTheDriverChooseTheLocalSize) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Buffer x = upload(stream, counting(96)), y = Buffer::allocate(stream, 384);
    stream.launch(scale_kernel(device), Grid{{96, 1, 1}, {0, 0, 0}}, BufferArgument{x},
                  BufferArgument{y}, 96u);
    EXPECT_EQ(download(stream, y), scaled(counting(96), 2));
  }
}

TEST(Stream, TakesEmptyBuffersWhereTheKernelDoesNotRead) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Buffer none = Buffer::allocate(stream, 0);
    stream.launch(scale_kernel(device), Grid::linear(4, 4), BufferArgument{}, BufferArgument{none},
                  0u);
    EXPECT_NO_THROW(stream.synchronize());
  }
}

TEST(Launch, RefusesWhatTheKernelOrDeviceCannot) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Kernel kernel = scale_kernel(device);
    const Buffer x = upload(stream, counting(4));
    const auto launch = [&](const Grid& grid) {
      return message_of<ArgumentError>(
          [&] { stream.launch(kernel, grid, BufferArgument{x}, BufferArgument{x}, 4u); });
    };
    const auto launches = build_stats().launches;
    const std::size_t limit = kernel.max_work_group_size();
    EXPECT_THAT(launch(Grid::linear(1, limit + 1)), HasSubstr("limit"));
    EXPECT_THAT(launch({{limit, 2, 1}, {limit, 2, 1}}), HasSubstr("limit"));
    EXPECT_THAT(launch({{5, 1, 1}, {2, 1, 1}}), HasSubstr("multiple"));
    EXPECT_THAT(launch({{4, 0, 1}, {2, 1, 1}}), HasSubstr("global size is 0"));
    EXPECT_THAT(launch({{4, 1, 1}, {2, 0, 1}}), HasSubstr("multiple"));
    EXPECT_THAT(message_of<ArgumentError>(
                    [&] { stream.launch(kernel, Grid::linear(4, 4), BufferArgument{x}, 4u); }),
                HasSubstr("arguments"));
    EXPECT_EQ(build_stats().launches, launches);
  }
}

TEST(Launch, ADriversRefusalNamesTheKernel) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Kernel kernel = device.kernel({test_library(), "fixed_group.cl", "fixed_group", {}});
    const Buffer x = upload(stream, counting(16));
    EXPECT_THAT(message_of<DeviceError>(
                    [&] { stream.launch(kernel, Grid::linear(16, 4), BufferArgument{x}); }),
                HasSubstr("fixed_group"));
    stream.launch(kernel, Grid::linear(16, 8), BufferArgument{x});
    EXPECT_NO_THROW(stream.synchronize()) << "the stream stays usable";
  }
}

TEST(Launch, RefusesKernelsAndBuffersOfAnotherDevice) {
  const auto devices = test_devices();
  if (devices.size() < 2) GTEST_SKIP() << "needs two devices";
  const Stream stream = devices[0].new_stream(), other = devices[1].new_stream();
  const Buffer here = upload(stream, counting(4)), there = upload(other, counting(4));
  EXPECT_THROW(stream.launch(scale_kernel(devices[1]), Grid::linear(4, 4), BufferArgument{here},
                             BufferArgument{here}, 4u),
               ArgumentError);
  EXPECT_THROW(stream.launch(scale_kernel(devices[0]), Grid::linear(4, 4), BufferArgument{here},
                             BufferArgument{there}, 4u),
               ArgumentError);
  EXPECT_THROW(download(stream, there), ArgumentError);
}

TEST(Stream, WaitsForEachLaunchWhenSynchronous) {
  ::setenv("CLMX_SYNC", "1", 1);
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Buffer x = upload(stream, counting(4));
    stream.launch(scale_kernel(device), Grid::linear(4, 4), BufferArgument{x}, BufferArgument{x},
                  4u);
    EXPECT_TRUE(stream.record().complete());
  }
  ::unsetenv("CLMX_SYNC");
}

TEST(Profile, HoldsEachLaunchOnce) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream({.profiling = true});
    const Buffer x = upload(stream, counting(1024));
    for (int i = 0; i < 3; ++i) {
      stream.launch(scale_kernel(device), Grid::linear(1024, 32), BufferArgument{x},
                    BufferArgument{x}, 1024u);
    }
    const std::vector<LaunchTime> times = stream.take_profile();
    ASSERT_EQ(times.size(), 3u);
    for (const LaunchTime& time : times) {
      EXPECT_EQ(time.kernel, "scale");
      EXPECT_GE(time.seconds, 0);
      EXPECT_LT(time.seconds, 10);
      EXPECT_EQ(time.host_clock, device.info().timer_resolution_ns == 0);
    }
    EXPECT_TRUE(stream.take_profile().empty());
    EXPECT_TRUE(device.default_stream().take_profile().empty());
  }
}

TEST(Event, IsCompleteWithoutWork) {
  EXPECT_TRUE(Event().complete());
  EXPECT_NO_THROW(Event().wait());
  for (const Device& device : test_devices()) {
    EXPECT_TRUE(device.new_stream().record().complete());
  }
}

TEST(Event, CompletesAfterTheWorkBeforeIt) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Buffer x = upload(stream, counting(64));
    stream.launch(scale_kernel(device), Grid::linear(64, 32), BufferArgument{x}, BufferArgument{x},
                  64u);
    const Event event = stream.record();
    event.wait();
    EXPECT_TRUE(event.complete());
  }
}

// A chain that alternates between streams, of one device or of two.
void expect_ordered(const Stream& a, const Stream& b) {
  const Buffer x = upload(a, counting(64));
  const Kernel kernel = a.device().kernel({test_library(), "scale.cl", "add_one", {}});
  b.wait(a.record());
  if (a.device() == b.device()) {
    for (int i = 0; i < 20; ++i) {
      const Stream& stream = i % 2 == 0 ? b : a;
      stream.launch(kernel, Grid::linear(64, 32), BufferArgument{x});
      (i % 2 == 0 ? a : b).wait(stream.record());
    }
    EXPECT_EQ(download(b, x).at(7), 27.0f);
  }
  EXPECT_EQ(download(a, x).at(0), a.device() == b.device() ? 20.0f : 0.0f);
}

TEST(Event, OrdersStreamsOfOneDeviceAndOfTwo) {
  const auto devices = test_devices();
  for (const Device& device : devices) {
    expect_ordered(device.new_stream(), device.new_stream());
    expect_ordered(device.new_stream(), devices.front().new_stream());
  }
}

}  // namespace
}  // namespace clmx
