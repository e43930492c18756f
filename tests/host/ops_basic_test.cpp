#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "ops_basic_broadcast.hpp"
#include "ops_basic_tuning.hpp"
#include "ops_support.hpp"

namespace clmx {
namespace {

using namespace testing_support;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr std::array float_types = {DType::f32, DType::f16, DType::bf16};

/// NumPy's broadcasting by indices, one element at a time.
std::vector<float> broadcast_values(const std::vector<float>& values, const Shape& from,
                                    const Shape& to) {
  std::vector<float> out;
  for (std::int64_t i = 0; i < to.elements(); i++) {
    std::int64_t rest = i, at = 0, stride = 1;
    for (int back = 1; back <= from.rank(); back++) {
      const std::int64_t index = rest % to[-back];
      rest /= to[-back];
      if (from[-back] != 1) at += index * stride;
      stride *= from[-back];
    }
    out.push_back(values[static_cast<std::size_t>(at)]);
  }
  return out;
}

struct ShapePair {
  Shape a, b;
};
const auto shape_pairs = std::to_array<ShapePair>({{{576}, {576}},
                                                   {{3, 37}, {37}},
                                                   {{3, 37}, {3, 1}},
                                                   {{}, {5, 7}},
                                                   {{2, 1, 4, 1, 19}, {3, 1, 5, 1}},
                                                   {{4, 1, 33}, {1, 6, 33}},
                                                   {{1}, {1}},
                                                   {{2, 3, 4, 5}, {1, 3, 1, 5}},
                                                   {{0, 4}, {4}},
                                                   {{20000}, {20000}}});

TEST(Add, BroadcastsAsNumPyOnEveryDevice) {
  for (const Device& device : test_devices())
    for (const ShapePair& pair : shape_pairs) {
      const Array a = normal_array(pair.a, 1), b = normal_array(pair.b, 2);
      const Array sum = add(a, b, device), product = multiply(a, b, device);
      const auto x = broadcast_values(floats_of(a), pair.a, sum.shape());
      const auto y = broadcast_values(floats_of(b), pair.b, sum.shape());
      std::vector<float> sums, products;
      for (std::size_t i = 0; i < x.size(); i++) {
        sums.push_back(x[i] + y[i]);
        products.push_back(x[i] * y[i]);
      }
      EXPECT_EQ(floats_of(sum), sums) << device.info().selector << pair.a << pair.b;
      EXPECT_EQ(floats_of(product), products) << device.info().selector << pair.a << pair.b;
    }
}

TEST(Add, RoundsOnceToThePromotedType) {
  for (const Device& device : test_devices())
    for (const DType a_type : float_types)
      for (const DType b_type : float_types) {
        const Array a = normal_array({99}, 1, a_type), b = normal_array({99}, 2, b_type);
        const Array sum = add(a, b, device);
        ASSERT_EQ(sum.dtype(), promote(a_type, b_type));
        const auto x = floats_of(a), y = floats_of(b), got = floats_of(sum);
        for (std::size_t i = 0; i < got.size(); i++)
          EXPECT_EQ(got[i], round_to(sum.dtype(), x[i] + y[i]));
      }
}

TEST(BroadcastPlan, JoinsAxesThatStepAlike) {
  const BroadcastPlan same = plan_broadcast({2, 3, 4}, {2, 3, 4}, {2, 3, 4});
  EXPECT_EQ(same.inner, 24);
  EXPECT_TRUE(same.outer.empty());
  const BroadcastPlan rows = plan_broadcast({2, 3, 4}, {4}, {2, 3, 4});
  EXPECT_EQ(rows.inner, 4);
  ASSERT_EQ(rows.outer.size(), 1u);
  EXPECT_EQ(rows.outer[0].size, 6);
  EXPECT_EQ(rows.outer[0].a_stride, 4);
  EXPECT_EQ(rows.outer[0].b_stride, 0);
  EXPECT_EQ(plan_broadcast({}, {5, 7}, {5, 7}).inner, 35);
}

TEST(Cast, RoundsFloatsToNearestEven) {
  std::vector<float> values = normals(500, 3);
  for (const float v : {65504.0f, 65519.9f, 65520.0f, 1e-7f, 6e-8f, 2049.0f, 2051.0f, 0x1.008p0f,
                        -0.0f, infinity, -infinity})
    values.push_back(v);
  const Array x = Array::from(values, Shape{static_cast<std::int64_t>(values.size())});
  for (const Device& device : test_devices())
    for (const DType type : float_types) {
      const auto got = floats_of(cast(x, type, device));
      for (std::size_t i = 0; i < values.size(); i++)
        EXPECT_EQ(got[i], round_to(type, values[i])) << device.info().selector << values[i];
    }
}

TEST(Cast, TruncatesAndSaturatesToIntegers) {
  const Array x = Array::from(
      std::vector<float>{1.9f, -1.9f, 3e9f, -3e9f, 5e9f, NAN, infinity, -infinity}, {8});
  constexpr auto top = std::numeric_limits<std::int32_t>::max();
  constexpr auto low = std::numeric_limits<std::int32_t>::min();
  for (const Device& device : test_devices()) {
    EXPECT_EQ(cast(x, DType::i32, device).to_vector<std::int32_t>(),
              (std::vector<std::int32_t>{1, -1, top, low, top, 0, top, low}));
    EXPECT_EQ(cast(x, DType::u32, device).to_vector<std::uint32_t>(),
              (std::vector<std::uint32_t>{1, 0, 3000000000u, 0, 0xffffffffu, 0, 0xffffffffu, 0}));
    EXPECT_EQ(cast(x, DType::u8, device).to_vector<std::uint8_t>(),
              (std::vector<std::uint8_t>{1, 0, 255, 0, 255, 0, 255, 0}));
    const Array i = Array::from(std::vector<std::int32_t>{-1, 16777217, 300}, {3});
    EXPECT_EQ(floats_of(cast(i, DType::f32, device)), (std::vector<float>{-1, 16777216, 300}));
    EXPECT_EQ(cast(i, DType::u8, device).to_vector<std::uint8_t>(),
              (std::vector<std::uint8_t>{255, 1, 44}));
    EXPECT_EQ(cast(normal_array({0, 3}, 1), DType::f16, device).shape(), (Shape{0, 3}));
  }
}

double silu_of(float x) {
  return static_cast<double>(x) / (1 + std::exp(-static_cast<double>(x)));
}

TEST(Silu, AgreesWithFloat64) {
  std::vector<float> values = normals(1000, 4);
  for (float v = -120; v < 120; v += 1.37f) values.push_back(v);
  std::vector<double> wanted;
  for (const float v : values) wanted.push_back(silu_of(v));
  const Array x = Array::from(values, Shape{static_cast<std::int64_t>(values.size())});
  for (const Device& device : test_devices())
    expect_close(floats_of(silu(x, device)), wanted, 3 * 0x1p-23, device.info().selector);
}

TEST(Swiglu, OfHalvesHasTheBitsOfTheTwoParts) {
  const std::int64_t rows = 7, width = 85;
  const auto gates = normals(count(rows, width), 5), others = normals(count(rows, width), 6);
  std::vector<float> both;
  for (std::int64_t r = 0; r < rows; r++)
    for (const auto* part : {&gates, &others})
      both.insert(both.end(), part->begin() + r * width, part->begin() + (r + 1) * width);
  for (const DType type : float_types)
    for (const Device& device : test_devices()) {
      const Array gate = float_array(gates, {rows, width}, type);
      const Array x = float_array(others, {rows, width}, type);
      const Array parts = swiglu(gate, x, device);
      const Array halves = swiglu_halves(float_array(both, {rows, 2 * width}, type), device);
      EXPECT_EQ(bits_of(parts), bits_of(halves));
      const auto g = floats_of(gate), o = floats_of(x);
      std::vector<double> wanted;
      for (std::size_t i = 0; i < g.size(); i++) wanted.push_back(silu_of(g[i]) * double{o[i]});
      const double limit = type == DType::f32 ? 4 * 0x1p-23 : type == DType::f16 ? 1e-3 : 8e-3;
      expect_close(floats_of(parts), wanted, limit, device.info().selector);
    }
}

TEST(Argmax, TakesTheFirstOfEqualsAndNeverNan) {
  const std::vector<std::pair<std::vector<float>, std::int32_t>> rows{
      {{1, 3, 3, 2}, 1},          {{NAN, -1, NAN, -2}, 1},
      {{NAN, NAN, NAN, NAN}, 0},  {{-infinity, NAN, -infinity, -infinity}, 0},
      {{-0.0f, 0.0f, -1, -1}, 0}, {{-5, infinity, NAN, infinity}, 1}};
  for (const Device& device : test_devices())
    for (const auto& [row, wanted] : rows)
      for (const std::size_t padding : {0u, 13u, 40u}) {
        std::vector<float> values = row;
        if (padding > 0) values.resize(row.size() + padding, row[0]);
        const Array x = Array::from(values, Shape{static_cast<std::int64_t>(values.size())});
        EXPECT_EQ(argmax(x, device).item<std::int32_t>(), wanted) << device.info().selector;
      }
}

TEST(Argmax, FindsTheMaximumAnywhereInEveryRow) {
  const std::int64_t width = 4919;
  std::vector<float> values = normals(count(5, width), 7);
  const std::vector<std::int32_t> places{0, 4918, 4911, 2048, 17};
  for (std::size_t r = 0; r < places.size(); r++)
    values[r * static_cast<std::size_t>(width) + static_cast<std::size_t>(places[r])] = 100;
  for (const Device& device : test_devices())
    for (const DType type : float_types) {
      const Array at = argmax(float_array(values, {1, 5, width}, type), device);
      EXPECT_EQ(at.shape(), (Shape{1, 5}));
      EXPECT_EQ(at.to_vector<std::int32_t>(), places);
    }
}

TEST(Gather, CopiesRowsOfAnyType) {
  const std::vector<std::int32_t> rows{2, -1, 0, 2};
  const std::vector<float> wanted{7, 8, 9, 10, 11, 12, 1, 2, 3, 7, 8, 9};
  for (const Device& device : test_devices()) {
    const Array at = Array::from(rows, {2, 2});
    const std::vector<float> table{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    for (const DType type : float_types) {
      const Array got = gather(float_array(table, {4, 3}, type), at, device);
      EXPECT_EQ(got.shape(), (Shape{2, 2, 3}));
      EXPECT_EQ(floats_of(got), wanted);
    }
    const Array bytes = Array::from(std::vector<std::uint8_t>{1, 2, 3, 4}, {4, 1});
    EXPECT_EQ(gather(bytes, at, device).to_vector<std::uint8_t>(),
              (std::vector<std::uint8_t>{3, 4, 1, 3}));
    const Array large = normal_array({50, 1000}, 8);
    const Array unsigned_rows = Array::from(std::vector<std::uint32_t>{49}, {1});
    EXPECT_EQ(bits_of(gather(large, unsigned_rows, device)), bits_of(large.rows(49, 50)));
  }
}

TEST(Gather, ChecksRowsOfTheHostAndReportsThoseOfADeviceAtTheNextRead) {
  const Array table = normal_array({4, 3}, 9);
  for (const std::int32_t row : {4, -5})
    expect_refused([&] { gather(table, Array::from(std::vector{row}, {1})); });
  for (const Device& device : test_devices()) {
    const Stream stream = device.new_stream();
    const auto computed = [&](float row) {
      return cast(Array::from(std::vector<float>{3, row, -4}, {3}), DType::i32, stream);
    };
    for (const float row : {9.0f, -9.0f}) {
      const Array unrelated = cast(table, DType::f16, stream);
      gather(table, computed(row), stream);
      try {
        unrelated.map_bytes();
        FAIL() << "nothing was thrown for row " << row;
      } catch (const ArgumentError& error) {
        const std::string message = error.what();
        EXPECT_NE(message.find("[gather] index " + std::to_string(static_cast<int>(row)) + ","),
                  std::string::npos)
            << message;
      }
      EXPECT_NO_THROW(stream.synchronize());
    }
    gather(table, computed(7), stream);
    EXPECT_THROW(stream.synchronize(), ArgumentError);
    const Array wanted =
        gather(table, Array::from(std::vector<std::int32_t>{3, 2, 0}, {3}), stream);
    EXPECT_EQ(bits_of(gather(table, computed(2), stream)), bits_of(wanted));
  }
}

TEST(ElementTuning, KeepsSmallWorkInOneItemOnVectorCpus) {
  DeviceInfo device;
  device.device_class = DeviceClass::cpu_vector;
  device.compute_units = 2;
  EXPECT_GE(choose_elementwise(device, 3072).per_item, 3072);
  const ShareTuning large = choose_elementwise(device, 10'000'001);
  EXPECT_EQ(large.per_item % 16, 0);
  EXPECT_EQ(share_grid(large, 10'000'001).global[0], 8u);
  EXPECT_EQ(choose_rows(device, 512, 576).per_item * 8, 512);
  EXPECT_EQ(choose_rows(device, 1, 1'000'000).per_item, 1);

  device.device_class = DeviceClass::gpu_plain;
  device.max_work_group_size = 100;
  EXPECT_FALSE(choose_elementwise(device, 5).wide);
  EXPECT_EQ(choose_reduction_group(device, 4096), 64u);
  device.device_class = DeviceClass::emulated;
  EXPECT_EQ(choose_reduction_group(device, 4096), 16u);
}

TEST(BasicOps, RefuseWrongArgumentsAndLaunchNothing) {
  const Array x = normal_array({2, 3}, 1), other = normal_array({2, 4}, 2);
  const Array integers = Array::from(std::vector<std::int32_t>{1, 2}, {2});
  expect_refused([&] { add(x, other); });
  expect_refused([&] { add(x, integers); });
  expect_refused([&] { multiply(integers, x); });
  expect_refused([&] { silu(integers); });
  expect_refused([&] { swiglu(x, other); });
  expect_refused([&] { swiglu_halves(x); });
  expect_refused([&] { argmax(integers); });
  expect_refused([&] { argmax(normal_array({2, 0}, 1)); });
  expect_refused([&] { argmax(Array(1.0f)); });
  expect_refused([&] { gather(x, x); });
  expect_refused([&] { gather(normal_array({2, 3, 4}, 1), integers); });
  expect_refused([&] { matmul(x, x); });
  expect_refused([&] { matmul(x, other, true); });
  expect_refused([&] { matmul(x, integers); });
  expect_refused([&] { matmul(normal_array({2, 2, 3}, 1), normal_array({3, 3, 4}, 1)); });
}

TEST(BasicOps, GiveTheSameBitsOnEveryDevice) {
  const Array gate = normal_array({3, 333}, 10), x = normal_array({3, 333}, 11);
  expect_same_bits([&] { return silu(gate); });
  expect_same_bits([&] { return swiglu(gate, x); });
  expect_same_bits([&] { return multiply(gate, x); });
}

}  // namespace
}  // namespace clmx
