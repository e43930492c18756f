#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <future>
#include <latch>
#include <random>

#include "clmx/host/array.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

constexpr std::size_t elements = 1024;
constexpr int thread_count = 8, streams_per_device = 4, rounds = 3, steps = 40;

using Values = std::vector<std::uint32_t>;

const KernelLibrary& stress_library() {
  static constexpr std::string_view text = R"(
kernel void blend(const global uint* a, ulong a_at, const global uint* b, ulong b_at,
                global uint* out, ulong out_at, uint factor) {
  const size_t i = get_global_id(0);
  const uint y = b[b_at + i];
  out[out_at + i] = factor * a[a_at + i] + (y ^ (y >> 3));
}
)";
  static constexpr auto files = std::to_array<KernelSource>({{"blend.cl", text}});
  static constexpr KernelLibrary library{"stress", files};
  return library;
}

Values host_values(std::uint32_t seed) {
  Values values(elements);
  for (std::uint32_t i = 0; i < elements; ++i) values[i] = (seed + i) * 2654435761U;
  return values;
}

/// The same chain of steps on the host: what the devices have to give.
struct Serial {
  using Value = Values;
  Value fresh(std::uint32_t seed, std::mt19937&) const { return host_values(seed); }
  Value blend(const Value& a, const Value& b, std::uint32_t factor, std::mt19937&) const {
    Value out(elements);
    for (std::size_t i = 0; i < elements; ++i) out[i] = factor * a[i] + (b[i] ^ (b[i] >> 3));
    return out;
  }
  Value copied(const Value& a, std::mt19937&) const { return a; }
  void read(const Value&, std::mt19937&) const {}
  void churn(std::mt19937&) const {}
};

/// Steps on devices. Its own choices come from a generator apart, so that they do not change what
/// is computed: any stream of any device takes any step.
struct OnDevices {
  using Value = Array;
  std::span<const Stream> streams;

  const Stream& any(std::mt19937& dice) const { return streams[dice() % streams.size()]; }
  static Array wrapped(const Buffer& buffer, const Stream& stream) {
    return Array::wrap(buffer, Shape{elements}, DType::u32, stream);
  }
  Value fresh(std::uint32_t seed, std::mt19937& dice) const {
    Values values = host_values(seed);
    if (dice() % 2 == 0) {
      return Array::wrap(HostBytes::own(std::move(values)), Shape{elements}, DType::u32);
    }
    const Stream& stream = any(dice);
    const Buffer buffer = Buffer::allocate(stream, elements * 4);
    stream.write(buffer, 0, std::as_bytes(std::span(values)));
    return wrapped(buffer, stream);
  }
  Value blend(const Value& a, const Value& b, std::uint32_t factor, std::mt19937& dice) const {
    const Stream& stream = any(dice);
    Array out = Array::empty(Shape{elements}, DType::u32, stream);
    const Kernel kernel = stream.device().kernel({stress_library(), "blend.cl", "blend", {}});
    stream.launch(kernel, Grid::linear(elements, 64), a.on(stream), b.on(stream), out.on(stream),
                  factor);
    return out;
  }
  Value copied(const Value& a, std::mt19937& dice) const {
    const Stream& stream = any(dice);
    const Buffer to = Buffer::allocate(stream, elements * 4);
    stream.copy(a.on(stream).buffer, 0, to, 0, elements * 4);
    return wrapped(to, stream);
  }
  void read(const Value& a, std::mt19937& dice) const {
    dice() % 2 == 0 ? (void)a.to_vector<std::uint32_t>() : (void)a.map<std::uint32_t>()[0];
    if (dice() % 4 == 0) any(dice).synchronize();
  }
  /// Memory that comes and goes, so that blocks change hands between streams.
  void churn(std::mt19937& dice) const {
    const Stream& stream = any(dice);
    const Buffer junk = Buffer::allocate(stream, elements * 4);
    stream.fill(junk, 0, elements * 4, static_cast<std::uint8_t>(dice()));
    if (dice() % 8 == 0) stream.device().trim_memory();
  }
};

/// One thread's part of a round: a chain over what all threads made in the round before and a few
/// values of its own, which are dropped at any moment.
template <class Runner>
typename Runner::Value chain(const Runner& run, const std::vector<typename Runner::Value>& shared,
                             std::uint32_t seed) {
  std::mt19937 plan(seed), dice(seed ^ std::random_device()());
  std::vector<typename Runner::Value> own(4, shared[seed % shared.size()]);
  for (int step = 0; step < steps; ++step) {
    const auto kind = plan() % 8;
    const auto factor = static_cast<std::uint32_t>(plan() | 1U);
    auto& slot = own[plan() % own.size()];
    const auto& from = own[plan() % own.size()];
    const auto& other = shared[plan() % shared.size()];
    if (kind < 4) {
      slot = run.blend(from, other, factor, dice);
    } else if (kind == 4) {
      slot = run.blend(run.blend(from, run.fresh(factor, dice), factor, dice), slot, 3, dice);
    } else if (kind == 5) {
      slot = run.copied(from, dice);
    } else if (kind == 6) {
      run.read(from, dice);
    } else {
      run.churn(dice);
    }
  }
  auto all = own[0];
  for (std::size_t i = 1; i < own.size(); ++i) all = run.blend(all, own[i], 5, dice);
  return all;
}

template <class Runner>
std::vector<typename Runner::Value> first_values(const Runner& run) {
  std::mt19937 dice(1);
  std::vector<typename Runner::Value> values;
  for (std::uint32_t i = 0; i < thread_count; ++i) values.push_back(run.fresh(i, dice));
  return values;
}

std::vector<Values> serial_results() {
  const Serial serial;
  std::vector<Values> shared = first_values(serial);
  for (std::uint32_t round = 0; round < rounds; ++round) {
    std::vector<Values> next;
    for (std::uint32_t i = 0; i < thread_count; ++i) {
      next.push_back(chain(serial, shared, round * thread_count + i));
    }
    shared = std::move(next);
  }
  return shared;
}

std::vector<Array> threaded_results(std::span<const Stream> streams) {
  const OnDevices devices{streams};
  std::vector<Array> shared = first_values(devices);
  for (std::uint32_t round = 0; round < rounds; ++round) {
    std::vector<std::future<Array>> chains;
    for (std::uint32_t i = 0; i < thread_count; ++i) {
      chains.push_back(std::async(
          std::launch::async, [&, i] { return chain(devices, shared, round * thread_count + i); }));
    }
    std::vector<Array> next;
    for (std::future<Array>& each : chains) next.push_back(each.get());
    shared = std::move(next);
  }
  return shared;
}

std::vector<Stream> streams_of(const std::vector<Device>& devices) {
  std::vector<Stream> streams;
  for (const Device& device : devices) {
    for (int i = 0; i < streams_per_device; ++i) streams.push_back(device.new_stream());
  }
  return streams;
}

TEST(Stress, ThreadsOnStreamsOfAllDevicesGiveTheSerialResults) {
  const std::vector<Stream> streams = streams_of(test_devices());
  const std::vector<Values> wanted = serial_results();
  const std::vector<Array> got = threaded_results(streams);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(got[i].to_vector<std::uint32_t>(), wanted[i]) << i;
  }
}

TEST(Stress, ThreadsOnTheStreamsOfOneDeviceGiveTheSerialResults) {
  const std::vector<Values> wanted = serial_results();
  for (const Device& device : test_devices()) {
    const std::vector<Stream> streams = streams_of({device});
    const std::vector<Array> got = threaded_results(streams);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(got[i].to_vector<std::uint32_t>(), wanted[i]) << device.info().selector << ' ' << i;
    }
  }
}

// The replicas of an array are made by whoever comes first.
TEST(Stress, ThreadsThatUseANewArrayOnAllDevicesAtOnceSeeItsValues) {
  const std::vector<Stream> streams = streams_of(test_devices());
  const OnDevices devices{streams};
  std::mt19937 choice(1);
  for (std::uint32_t round = 0; round < 20; ++round) {
    const Array shared = devices.fresh(round, choice);
    const Values wanted = host_values(round);
    std::latch start(thread_count);
    const auto use = [&](std::uint32_t seed) {
      std::mt19937 dice(seed);
      start.arrive_and_wait();
      int wrong = 0;
      for (int i = 0; i < 6; ++i) {
        wrong += devices.copied(shared, dice).to_vector<std::uint32_t>() == wanted ? 0 : 1;
      }
      return wrong;
    };
    std::vector<std::future<int>> users;
    for (std::uint32_t i = 0; i < thread_count; ++i) {
      users.push_back(std::async(std::launch::async, use, round * thread_count + i));
    }
    for (std::future<int>& user : users) EXPECT_EQ(user.get(), 0) << round;
  }
}

}  // namespace
}  // namespace clmx
