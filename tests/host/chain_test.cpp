#include <gtest/gtest.h>

#include <random>

#include "clmx/devices/error.hpp"
#include "clmx/host/device_transfers.hpp"
#include "clmx/host/ops.hpp"
#include "quantized_support.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

using testing_support::normals;

constexpr std::int64_t width = 64;

/// What the steps of a chain work with; made once, used by every device.
struct Parts {
  Array dense = Array::from(normals(width * width, 1), {width, width});
  Array norm = Array::from(normals(width, 2), {width});
  QuantizedWeight quantized = quantize(Array::from(normals(width * width, 3), {width, width}));
  RopeTable rope = make_rope_table({.dims = 16}, 8);
};

/// One of the ops, chosen by `kind`; keeps the shape [5, 64] and the size of the numbers.
Array step(const Array& x, const Array& start, unsigned kind, const Parts& parts, const Stream& s) {
  switch (kind % 7) {
    case 0:
      return add(x, start, s);
    case 1:
      return multiply(x, parts.norm, s);
    case 2:
      return rms_norm(x, parts.norm, 1e-5f, s);
    case 3:
      return rms_norm(matmul(x, parts.dense, true, s), parts.norm, 1e-5f, s);
    case 4:
      return rms_norm(quantized_matmul(x, parts.quantized, {}, s), parts.norm, 1e-5f, s);
    case 5:
      return rope(x.reshape({1, 5, 4, 16}), parts.rope, 2, AttentionLayout::bthd, s)
          .reshape({5, width});
    default:
      return swiglu(x, start, s);
  }
}

/// 100 steps in an order given by the seed; step i on streams[i % n].
std::vector<float> chain(const std::vector<Stream>& streams, unsigned seed, const Parts& parts) {
  std::mt19937 engine(seed);
  const Array start = Array::from(normals(5 * width, seed), {5, width});
  Array x = start;
  for (std::size_t i = 0; i < 100; ++i) {
    x = step(x, start, static_cast<unsigned>(engine()), parts, streams[i % streams.size()]);
    if (i % 10 == 9) x = rms_norm(x, parts.norm, 1e-5f, streams[i % streams.size()]);
  }
  return x.to_vector<float>();
}

TEST(Chain, AlternatingBetweenDevicesGivesTheBitsOfOne) {
  const Parts parts;
  std::vector<Stream> all;
  for (const Device& device : test_devices()) all.push_back(device.default_stream());
  for (const unsigned seed : {11U, 12U, 13U}) {
    const auto wanted = chain({all.front()}, seed, parts);
    for (const float value : wanted) ASSERT_TRUE(std::isfinite(value));
    EXPECT_TRUE(chain(all, seed, parts) == wanted) << seed;
    for (const Stream& one : all) EXPECT_TRUE(chain({one}, seed, parts) == wanted) << seed;
  }
}

TEST(Chain, AlternatingBetweenStreamsOfEveryDeviceGivesTheBitsOfOne) {
  const Parts parts;
  std::vector<Stream> all;
  for (int round = 0; round < 2; ++round) {
    for (const Device& device : test_devices()) all.push_back(device.new_stream());
  }
  EXPECT_TRUE(chain(all, 21, parts) == chain({all.front()}, 21, parts));
}

TEST(Replicas, AResultTravelsOnceToEachDevice) {
  const std::vector<Device> devices = test_devices();
  const Array x = Array::from(normals(1000, 5), {1000});
  const Array sum = add(x, x, devices.front());
  for (const Device& device : devices) {
    const DeviceTransferStats before = device_transfer_stats();
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(add(sum, x, device).to_vector<float>(),
                add(sum, x, devices.front()).to_vector<float>());
    }
    const DeviceTransferStats after = device_transfer_stats();
    const std::uint64_t moved = after.copied + after.shared - before.copied - before.shared;
    const std::uint64_t bytes =
        after.copied_bytes + after.shared_bytes - before.copied_bytes - before.shared_bytes;
    EXPECT_EQ(moved, device == devices.front() ? 0U : 1U) << device.info().selector;
    EXPECT_EQ(bytes, device == devices.front() ? 0U : 4000U) << device.info().selector;
  }
}

// The producer's memory must not be given to another array while a reader of its pages is pending.
TEST(Replicas, PagesStayUntilTheLastUseElsewhere) {
  const std::vector<Device> devices = test_devices();
  constexpr std::size_t count = 1 << 16;
  const Array x = Array::from(normals(count, 6), {static_cast<std::int64_t>(count)});
  const auto wanted = add(add(x, x, devices.front()), x, devices.front()).to_vector<float>();
  for (const Device& from : devices) {
    for (const Device& to : devices) {
      std::vector<Array> results;
      for (int i = 0; i < 20; ++i) {
        const Array doubled = add(x, x, from);
        results.push_back(add(doubled, x, to));  // `doubled` is let go with this pending
        (void)multiply(x, x, from);              // would be given its memory
      }
      for (const Array& result : results) {
        ASSERT_TRUE(result.to_vector<float>() == wanted)
            << from.info().selector << " to " << to.info().selector;
      }
    }
  }
}

TEST(Replicas, ACacheMovesBetweenDevices) {
  const std::vector<Device> devices = test_devices();
  const Array k = Array::from(normals(3 * 2 * 16, 7), {1, 3, 2, 16});
  const auto run = [&](const Device& second) {
    KVCache cache(1, 2, 16, 64);
    cache.append(k, k, AttentionLayout::bthd, devices.front());
    cache.append(k, k, AttentionLayout::bthd, second);
    cache.append(k, k, AttentionLayout::bthd, devices.front());
    const Array q = Array::from(normals(2 * 16, 8), {1, 1, 2, 16});
    return scaled_dot_product_attention(q, cache, {.causal = true, .layout = AttentionLayout::bthd},
                                        second)
        .to_vector<float>();
  };
  const auto wanted = run(devices.front());
  for (const Device& device : devices) EXPECT_EQ(run(device), wanted) << device.info().selector;
}

}  // namespace
}  // namespace clmx
