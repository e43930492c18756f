#include <gtest/gtest.h>

#include "clmx/devices/clock.hpp"
#include "clmx/devices/passage.hpp"
#include "clmx/host/ops_basic.hpp"
#include "devices/test_kernels.hpp"

namespace clmx {
namespace {

/// A launch that keeps one work-item, and a stream, busy for about as long as asked.
class Slow {
 public:
  explicit Slow(const Device& device)
      : kernel_(device.kernel({test_library(), "slow.cl", "slow", {}})),
        out_(Buffer::allocate_unpooled(device, 4)) {
    const Stream stream = device.new_stream();
    const auto time = [&](int turns) {
      const auto start = Clock::now();
      launch(stream, turns);
      stream.synchronize();
      return seconds_since(start);
    };
    static_cast<void>(time(1));  // compiles
    int turns = 1 << 20;
    double took = time(turns);
    while (took < 0.05 && turns < (1 << 28)) took = time(turns *= 4);
    turns_ = static_cast<int>(std::min(2e9, turns * wanted_seconds / took));
  }
  void launch(const Stream& stream) const { launch(stream, turns_); }

 private:
  static constexpr double wanted_seconds = 0.8;
  void launch(const Stream& stream, int turns) const {
    stream.launch(kernel_, Grid::linear(1, 1), BufferArgument{out_}, turns);
    stream.flush();
  }

  Kernel kernel_;
  Buffer out_;
  int turns_ = 0;
};

/// Another device than `device`, so that two are in use: of the tested ones or a part of this one.
std::optional<Device> another(const Device& device) {
  for (const Device& other : test_devices()) {
    if (!(other == device)) return other;
  }
  if (device.info().compute_units < 2) return std::nullopt;
  return Device::select(device.info().selector + "/1");
}

Array doubled(const Device& device, const Stream& stream, const std::vector<float>& values) {
  const Buffer x = upload(stream, values), y = Buffer::allocate(stream, values.size() * 4);
  const auto count = static_cast<std::uint32_t>(values.size());
  stream.launch(scale_kernel(device), Grid::linear(count, 1), BufferArgument{x}, BufferArgument{y},
                count);
  stream.flush();
  return Array::wrap(y, Shape{static_cast<std::int64_t>(count)}, DType::f32, stream);
}

/// Whether `read` came back well before the slow kernel that was enqueued before it ended. What is
/// judged is one run's own time, however busy the machine is.
template <class Read>
bool overtakes(const Stream& stream, const Slow& slow, Read read) {
  const auto start = Clock::now();
  slow.launch(stream);
  read();
  const double reading = seconds_since(start);
  stream.synchronize();
  const double all = seconds_since(start);
  return all > 0.2 && reading < 0.7 * all;
}

/// Whether the device runs two streams beside each other, each time, as overlap needs. False also
/// where no kernel can be made slow enough to tell: some drivers limit the turns of a loop.
bool runs_streams_at_once(const Device& device, const Slow& slow) {
  const Stream busy = device.new_stream(), other = device.new_stream();
  const std::vector<float> values = counting(64);
  static_cast<void>(doubled(device, other, values).to_vector<float>());
  for (int i = 0; i < 3; ++i) {
    const bool overtook =
        overtakes(busy, slow, [&] { static_cast<void>(download(other, upload(other, values))); });
    if (!overtook) return false;
  }
  return true;
}

/// Whether in one of a few tries what was made before the slow kernel could be read during it. A
/// driver that takes up what is enqueued by batches ends none of a batch before its last, and
/// whether the slow kernel falls into the same batch is chance (Intel's runtime). So one tested
/// device has to manage, of those that run streams at once; a read that always waits for the whole
/// stream manages on none.
template <class Make, class Read>
bool overtakes_once(const Stream& stream, const Slow& slow, Make make, Read read) {
  constexpr int tries = 4;
  for (int i = 0; i < tries; ++i) {
    const Array made = make();
    if (overtakes(stream, slow, [&] { read(made); })) return true;
  }
  return false;
}

TEST(Overlap, AnotherDeviceAndTheHostReadBeforeLaterWorkOfTheProducerEnds) {
  int able = 0, read_by_device = 0, read_by_host = 0;
  for (const Device& device : test_devices()) {
    const std::optional<Device> reader = another(device);
    if (!reader) continue;
    const Stream reading = reader->new_stream(), producing = device.new_stream();
    const Slow slow(device);
    const bool at_once = runs_streams_at_once(device, slow);
    RecordProperty(device.info().selector, at_once ? "streams at once" : "one stream at a time");
    const std::vector<float> values = counting(256);
    const Array warm = doubled(device, producing, values);
    static_cast<void>(add(warm, warm, reading).to_vector<float>());

    const auto by_device = [&](const Array& made) {
      EXPECT_EQ(add(made, made, reading).to_vector<float>(), scaled(values, 4));
    };
    const auto by_host = [&](const Array& made) {
      EXPECT_EQ(made.to_vector<float>(), scaled(values, 2));
    };
    const auto make = [&] { return doubled(device, producing, values); };
    if (!at_once) {
      by_device(make());
      by_host(make());
      continue;
    }
    ++able;
    read_by_device += overtakes_once(producing, slow, make, by_device) ? 1 : 0;
    read_by_host += overtakes_once(producing, slow, make, by_host) ? 1 : 0;
  }
  EXPECT_TRUE(able == 0 || read_by_device > 0);
  EXPECT_TRUE(able == 0 || read_by_host > 0);
}

TEST(Overlap, AReadWaitsForLaterWritesOfTheSameBytes) {
  for (const Device& device : test_devices()) {
    const std::optional<Device> reader = another(device);
    if (!reader) continue;
    const Stream reading = reader->new_stream(), producing = device.new_stream();
    const Kernel add_one = device.kernel({test_library(), "scale.cl", "add_one", {}});
    const Buffer buffer = upload(producing, counting(64));
    for (int i = 0; i < 300; ++i) {  // more than a stream remembers
      producing.launch(add_one, Grid::linear(64, 1), BufferArgument{buffer});
    }
    const Array made = Array::wrap(buffer, Shape{64}, DType::f32, producing);
    std::vector<float> wanted = counting(64);
    for (float& value : wanted) value += 300;
    EXPECT_EQ(add(made, made, reading).to_vector<float>(), scaled(wanted, 2));
    EXPECT_EQ(made.to_vector<float>(), wanted);
  }
}

TEST(Overlap, AnUploadOfManyBytesDoesNotWaitForTheReadersWork) {
  int able = 0, beside = 0;
  for (const Device& device : test_devices()) {
    const Slow slow(device);
    const bool at_once = runs_streams_at_once(device, slow);
    const Stream user = device.new_stream();
    const std::vector<float> values = counting(1 << 18);
    const Buffer buffer = Buffer::allocate_unpooled(device, values.size() * 4);
    const Stream way = way_in(user, buffer.size());
    EXPECT_EQ(way_in(user, 4), user);
    way.write(buffer, 0, std::as_bytes(std::span(values)));  // makes the stream's queue work
    const bool overtook =
        overtakes(user, slow, [&] { way.write(buffer, 0, std::as_bytes(std::span(values))); });
    EXPECT_EQ(download(user, buffer), values);
    able += at_once ? 1 : 0;
    beside += at_once && overtook ? 1 : 0;
  }
  EXPECT_TRUE(able == 0 || beside > 0);
}

}  // namespace
}  // namespace clmx
