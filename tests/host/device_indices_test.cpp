#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>

#include "devices/test_kernels.hpp"
#include "ops_support.hpp"

// Indices that a device computed: nobody can check them at the call.
namespace clmx {
namespace {

using namespace testing_support;
using testing::HasSubstr;

constexpr std::int64_t table_rows = 7;

/// Indices that only the device holds.
template <Element T>
Array computed(const std::vector<T>& values, const Stream& stream) {
  const Buffer buffer = Buffer::allocate(stream, values.size() * sizeof(T));
  stream.write(buffer, 0, std::as_bytes(std::span(values)));
  const Shape shape{static_cast<std::int64_t>(values.size())};
  return Array::wrap(buffer, shape, DTypeOf<T>::value, stream);
}

Array table() {
  return normal_array({table_rows, 33}, 1);
}

QuantizedWeight weight() {
  return random_weight(table_rows, 64, {{QuantizationMode::affine, 32, 4}, DType::f32}, 2);
}

template <Element T>
void expect_reported(T index, const Stream& stream) {
  const std::string named = " index " + std::to_string(index) + ",";
  const std::string where = stream.device().info().selector + named;
  const std::vector<T> rows{0, 6, index, 3};
  const Array dense = gather(table(), computed(rows, stream), stream);
  EXPECT_THAT(message_of<ArgumentError>([&] { dense.to_vector<float>(); }),
              HasSubstr("[gather]" + named))
      << where;
  const Array decoded = gather_dequantize(computed(rows, stream), weight(), {}, stream);
  EXPECT_THAT(message_of<ArgumentError>([&] { decoded.to_vector<float>(); }),
              HasSubstr("[gather_dequantize]" + named))
      << where;
}

TEST(DeviceIndices, OutOfRangeAreReportedWhateverTheirType) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    for (const std::int32_t index : {7, -8, 2147483647, -2147483647 - 1})
      expect_reported(index, stream);
    for (const std::uint32_t index : {7U, 2147483648U, 4294967295U}) expect_reported(index, stream);
    for (const int index : {7, 128, 255}) expect_reported(static_cast<std::uint8_t>(index), stream);
  }
}

TEST(DeviceIndices, WithinRangeAreNotReported) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const std::vector<std::int32_t> rows{0, 6, -1, -7};
    const std::vector<std::uint32_t> unsigned_rows{0, 6, 6, 0};
    const auto dense = bits_of(gather(table(), Array::from(rows, {4}), stream));
    EXPECT_EQ(bits_of(gather(table(), computed(rows, stream), stream)), dense);
    EXPECT_EQ(bits_of(gather(table(), computed(unsigned_rows, stream), stream)), dense);
    const auto decoded = bits_of(gather_dequantize(Array::from(rows, {4}), weight(), {}, stream));
    EXPECT_EQ(bits_of(gather_dequantize(computed(rows, stream), weight(), {}, stream)), decoded);
    EXPECT_EQ(bits_of(gather_dequantize(computed(unsigned_rows, stream), weight(), {}, stream)),
              decoded);
    EXPECT_NO_THROW(stream.synchronize());
  }
}

TEST(DeviceIndices, AreReportedByWhateverWaitsNextAndOnlyOnce) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const Array other = cast(table(), DType::f16, stream),
                one = cast(Array(2.5F), DType::f16, stream);
    const auto waits = std::to_array<std::function<void()>>(
        {[&] { other.to_vector<Half>(); }, [&] { other.map<Half>(); }, [&] { one.item<Half>(); },
         [&] { stream.synchronize(); }});
    for (const auto& wait : waits) {
      const Array out = gather(table(), computed<std::int32_t>({70}, stream), stream);
      gather(table(), computed<std::int32_t>({71}, stream), stream);
      EXPECT_THAT(message_of<ArgumentError>(wait), HasSubstr(" 70,")) << "the first one stays";
      for (const auto& later : waits) EXPECT_EQ(message_of<ArgumentError>(later), "");
      EXPECT_EQ(bits_of(out), bits_of(table().rows(6, 7))) << "clamped";
    }
  }
}

TEST(DeviceIndices, AreReportedByACopyToAnotherDevice) {
  const std::vector<Device> devices = test_devices();
  const Stream stream = devices.front().new_stream();
  const Array out = gather(table(), computed<std::int32_t>({-9}, stream), stream);
  if (devices.size() == 1) {
    EXPECT_THAT(message_of<ArgumentError>([&] { stream.synchronize(); }), HasSubstr(" -9,"));
    return;
  }
  EXPECT_THAT(message_of<ArgumentError>([&] { add(out, out, devices.back()); }), HasSubstr(" -9,"));
  EXPECT_EQ(bits_of(cast(out, DType::f32, devices.back())), bits_of(table().rows(0, 1)));
}

/// Gathers in its own stream, every second time with a bad index if `fails`; how often that was
/// reported as its own.
int reports_of_a_thread(const Device& device, std::int32_t bad, bool fails) {
  const Stream stream = device.new_stream();
  const Array rows = table();
  int reports = 0;
  for (int i = 0; i < 20; ++i) {
    const std::int32_t index = fails && i % 2 == 0 ? bad : 5;
    const Array out = gather(rows, computed<std::int32_t>({index}, stream), stream);
    const std::string said = message_of<ArgumentError>([&] { out.to_vector<float>(); });
    if (said.empty()) continue;
    reports += said.find(' ' + std::to_string(bad) + ',') != std::string::npos ? 1 : 1000;
  }
  return reports;
}

TEST(DeviceIndices, AreReportedToNoOtherStream) {
  for (const Device& device : test_devices()) {
    std::vector<std::future<int>> threads;
    for (std::int32_t i = 0; i < 6; ++i) {
      threads.push_back(
          std::async(std::launch::async, reports_of_a_thread, device, 100 + i, i % 3 == 0));
    }
    for (std::size_t i = 0; i < threads.size(); ++i) {
      EXPECT_EQ(threads[i].get(), i % 3 == 0 ? 10 : 0) << device.info().selector << " thread " << i;
    }
  }
}

TEST(DeviceIndices, AreReportedToOneOfTheThreadsThatShareAStream) {
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    for (int round = 0; round < 10; ++round) {
      const Array out = gather(table(), computed<std::int32_t>({99}, stream), stream);
      std::vector<std::future<std::string>> threads;
      for (int i = 0; i < 4; ++i) {
        threads.push_back(std::async(std::launch::async, [&] {
          return message_of<ArgumentError>([&] { out.to_vector<float>(); });
        }));
      }
      int reports = 0;
      for (auto& thread : threads) reports += thread.get().empty() ? 0 : 1;
      EXPECT_EQ(reports, 1) << device.info().selector;
    }
  }
}

}  // namespace
}  // namespace clmx
