#include <gtest/gtest.h>

#include <array>

#include "ops_support.hpp"
#include "ops_transformer_tuning.hpp"

namespace clmx {
namespace {

using namespace testing_support;

constexpr std::array float_types = {DType::f32, DType::f16, DType::bf16};

double tolerance(DType type) {
  return type == DType::f32 ? 1e-6 : type == DType::f16 ? 2e-3 : 1.6e-2;
}

std::vector<double> norm_reference(const Array& x, const std::optional<Array>& weight, double eps) {
  const auto values = floats_of(x);
  const std::vector<float> w = weight ? floats_of(*weight) : std::vector<float>{};
  const auto width = static_cast<std::size_t>(x.shape(-1));
  std::vector<double> out;
  for (std::size_t row = 0; row < values.size(); row += width) {
    double sum = 0;
    for (std::size_t i = 0; i < width; i++) sum += std::pow(double{values[row + i]}, 2);
    const double scale = 1 / std::sqrt(sum / static_cast<double>(width) + eps);
    for (std::size_t i = 0; i < width; i++)
      out.push_back(double{values[row + i]} * scale * (weight ? double{w[i]} : 1.0));
  }
  return out;
}

TEST(RmsNorm, AgreesWithFloat64InEveryType) {
  for (const Device& device : test_devices())
    for (const DType type : float_types)
      for (const std::int64_t width : {1, 15, 16, 100, 576}) {
        const Array x = normal_array({3, width}, 1, type), w = normal_array({width}, 2);
        const Array plain = rms_norm(x, {}, 1e-5f, device),
                    weighted = rms_norm(x, w, 1e-5f, device);
        EXPECT_EQ(plain.dtype(), type);
        EXPECT_EQ(weighted.dtype(), DType::f32);
        expect_close(floats_of(plain), norm_reference(x, {}, 1e-5), tolerance(type), "plain");
        expect_close(floats_of(weighted), norm_reference(x, w, 1e-5), tolerance(type), "weighted");
      }
}

TEST(RmsNorm, TakesRowsThatAreTinyHugeOrZero) {
  std::vector<float> values(3 * 40, 0.0f);
  for (std::size_t i = 0; i < 40; i++) values[i] = 1e-12f * static_cast<float>(i);
  for (std::size_t i = 40; i < 80; i++) values[i] = 1e17f;
  const Array x = Array::from(values, {3, 40});
  for (const Device& device : test_devices())
    expect_close(floats_of(rms_norm(x, {}, 1e-20f, device)), norm_reference(x, {}, 1e-20), 1e-6,
                 device.info().selector);
}

TEST(AddRmsNorm, HasTheBitsOfTheTwoOps) {
  for (const Device& device : test_devices())
    for (const DType type : float_types) {
      const Array a = normal_array({20, 333}, 3, type), b = normal_array({20, 333}, 4);
      const Array w = normal_array({333}, 5, type);
      const AddedNorm both = add_rms_norm(a, b, w, 1e-6f, device);
      const Array sum = add(a, b, device);
      EXPECT_EQ(bits_of(both.sum), bits_of(sum));
      EXPECT_EQ(bits_of(both.normed), bits_of(rms_norm(sum, w, 1e-6f, device)));
      const AddedNorm plain = add_rms_norm(a, a, {}, 1e-6f, device);
      EXPECT_EQ(plain.normed.dtype(), type);
      EXPECT_EQ(bits_of(plain.normed), bits_of(rms_norm(add(a, a, device), {}, 1e-6f, device)));
    }
}

/// Rotated in float64; x: [heads, time, dim].
std::vector<double> rope_reference(const Array& x, const RopeOptions& o) {
  const auto values = floats_of(x);
  std::vector<double> out(values.begin(), values.end());
  const auto dim = static_cast<std::size_t>(x.shape(-1));
  const auto time = static_cast<std::size_t>(x.shape(-2));
  const auto half = static_cast<std::size_t>(o.dims / 2);
  for (std::size_t row = 0; row * dim < values.size(); row++)
    for (std::size_t i = 0; i < half; i++) {
      const double position = (static_cast<double>(row % time) + static_cast<double>(o.offset));
      const double theta = o.periods ? 1 / (*o.periods)[i]
                                     : std::pow(*o.base, -2.0 * static_cast<double>(i) / o.dims);
      const double angle = position * o.scale * theta;
      const std::size_t a = row * dim + (o.traditional ? 2 * i : i);
      const std::size_t b = row * dim + (o.traditional ? 2 * i + 1 : i + half);
      out[a] = double{values[a]} * std::cos(angle) - double{values[b]} * std::sin(angle);
      out[b] = double{values[a]} * std::sin(angle) + double{values[b]} * std::cos(angle);
    }
  return out;
}

std::vector<RopeOptions> rope_variants() {
  std::vector<RopeOptions> all;
  for (const bool traditional : {false, true})
    for (const int dims : {2, 30, 64, 80}) {
      all.push_back({.dims = dims, .traditional = traditional, .offset = 1000});
      std::vector<double> periods;
      for (int i = 0; i < dims / 2; i++) periods.push_back(1.5 + i);
      all.push_back({.dims = dims,
                     .traditional = traditional,
                     .base = {},
                     .periods = periods,
                     .scale = 0.25,
                     .offset = 3});
    }
  return all;
}

TEST(Rope, AgreesWithFloat64) {
  for (const Device& device : test_devices())
    for (const RopeOptions& options : rope_variants())
      for (const DType type : float_types) {
        const Array x = normal_array({2, 3, 5, 80}, 6, type);
        expect_close(floats_of(rope(x, options, device)), rope_reference(x, options),
                     tolerance(type), device.info().selector);
      }
}

TEST(Rope, ByTableAndInEitherLayoutHasTheSameBits) {
  const Array x = normal_array({2, 7, 1, 48}, 7);  // one head: both layouts are the same elements
  for (const Device& device : test_devices())
    for (const bool traditional : {false, true}) {
      RopeOptions options{.dims = 48, .traditional = traditional, .offset = 5};
      options.layout = AttentionLayout::bthd;
      const auto wanted = bits_of(rope(x, options, device));
      const RopeTable table =
          make_rope_table({.dims = 48, .traditional = traditional, .offset = 0}, 12);
      EXPECT_EQ(bits_of(rope(x, table, 5, AttentionLayout::bthd, device)), wanted);
      const Array y = rope(x.reshape({2, 1, 7, 48}), table, 5, AttentionLayout::bhtd, device);
      EXPECT_EQ(bits_of(y), wanted);
      EXPECT_THROW(rope(x, table, 6, AttentionLayout::bthd, device), ArgumentError);
    }
}

TEST(Rope, OneOffsetServesTheWholeBatch) {
  const Array x = normal_array({3, 2, 5, 16}, 7);
  for (const Device& device : test_devices())
    EXPECT_EQ(bits_of(rope(x, {.dims = 16, .offsets = std::vector<std::int64_t>{11}}, device)),
              bits_of(rope(x, {.dims = 16, .offset = 11}, device)));
}

TEST(LayerNorm, ABiasAloneWidensNothing) {
  for (const Device& device : test_devices()) {
    for (const DType x : {DType::f32, DType::f16, DType::bf16}) {
      for (const DType b : {DType::f32, DType::f16, DType::bf16}) {
        const Array rows = normal_array({5, 33}, 1, x), bias = normal_array({33}, 2, b);
        const Array weight = normal_array({33}, 3, x);
        const Array got = layer_norm(rows, {}, bias, 1e-5f, device);
        EXPECT_EQ(got.dtype(), x);
        EXPECT_EQ(bits_of(got),
                  bits_of(layer_norm(rows, {}, cast(bias, x, device), 1e-5f, device)));
        EXPECT_EQ(layer_norm(rows, weight, bias, 1e-5f, device).dtype(), promote(x, b));
      }
    }
  }
}

TEST(Softmax, TakesScalarsAndIntegers) {
  const Array words = Array::from(std::vector<std::uint8_t>{1, 2, 3, 3, 0, 9}, {2, 3});
  for (const Device& device : test_devices()) {
    const Array one = softmax(Array(3.0f), device);
    EXPECT_EQ(one.shape(), Shape{});
    EXPECT_EQ(one.item<float>(), 1.0f);
    EXPECT_EQ(softmax(cast(Array(3.0f), DType::bf16, device), device).dtype(), DType::bf16);
    for (const DType dtype : {DType::u8, DType::u32, DType::i32}) {
      const Array y = softmax(cast(words, dtype, device), device);
      EXPECT_EQ(y.dtype(), DType::f32);
      EXPECT_EQ(bits_of(y), bits_of(softmax(cast(words, DType::f32, device), device)));
    }
  }
}

TEST(TransformerOps, GiveTheSameBitsOnEveryDevice) {
  const Array x = normal_array({7, 333}, 8), w = normal_array({333}, 9);
  expect_same_bits([&] { return rms_norm(x, w, 1e-5f); });
  const Array heads = normal_array({3, 9, 70}, 10);
  for (const bool traditional : {false, true})
    expect_same_bits([&] { return rope(heads, {.dims = 66, .traditional = traditional}); });
}

TEST(TransformerOps, TakeEmptyArrays) {
  EXPECT_EQ(rms_norm(normal_array({0, 5}, 1), {}, 1e-5f).shape(), (Shape{0, 5}));
  EXPECT_EQ(rope(normal_array({1, 2, 0, 8}, 1), {.dims = 8}).shape(), (Shape{1, 2, 0, 8}));
}

TEST(TransformerOps, RefuseWrongArgumentsAndLaunchNothing) {
  const Array x = normal_array({2, 3, 8}, 1), w = normal_array({7}, 2);
  const Array integers = Array::from(std::vector<std::int32_t>{1, 2, 3, 4, 5, 6, 7, 8}, {8});
  expect_refused([&] { rms_norm(x, w, 1e-5f); });
  expect_refused([&] { rms_norm(integers, {}, 1e-5f); });
  expect_refused([&] { rms_norm(x, integers, 1e-5f); });
  expect_refused([&] { add_rms_norm(x, normal_array({8}, 1), {}, 1e-5f); });
  expect_refused([&] { rope(x, {.dims = 10}); });
  expect_refused([&] { rope(x, {.dims = 7}); });
  expect_refused([&] { rope(x, {.dims = 0}); });
  expect_refused([&] { rope(x, {.dims = 8, .base = {}}); });
  expect_refused([&] { rope(x, {.dims = 8, .periods = std::vector<double>(4, 1.0)}); });
  expect_refused([&] { rope(x, {.dims = 8, .base = {}, .periods = std::vector<double>(3, 1.0)}); });
  expect_refused([&] { rope(normal_array({3, 8}, 1), {.dims = 8}); });
  expect_refused([&] { make_rope_table({.dims = 8}, -1); });
}

TEST(AttentionTuning, BoundsScratchAndWorkItems) {
  DeviceInfo device;
  device.device_class = DeviceClass::cpu_vector;
  device.compute_units = 2;
  const AttentionTuning prefill = choose_attention(device, {3, 3 * 512, 512, 64});
  EXPECT_TRUE(prefill.wide);
  EXPECT_EQ(prefill.tile, 4);
  EXPECT_LE(prefill.work_items, 32);
  EXPECT_EQ(choose_attention(device, {3, 1, 512, 64}).tile, 1);
  EXPECT_FALSE(choose_attention(device, {3, 1, 512, 257}).wide);
  device.device_class = DeviceClass::emulated;
  const AttentionTuning plain = choose_attention(device, {3, 1'000'000, 100'000, 64});
  EXPECT_FALSE(plain.wide);
  EXPECT_LE(plain.rows * 100'001 * 4, std::int64_t{64} << 20);
  EXPECT_EQ(choose_attention(device, {1, 1, std::int64_t{1} << 30, 64}).rows, 1);
}

}  // namespace
}  // namespace clmx
