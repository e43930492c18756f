#include "clmx/host/ops_quantized.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "host_quantize.hpp"
#include "quantized_support.hpp"

namespace clmx {
namespace {

using namespace testing_support;

const QuantizationParams affine4{QuantizationMode::affine, 32, 4};
const QuantizationParams affine8{QuantizationMode::affine, 64, 8};
const QuantizationParams mxfp4{QuantizationMode::mxfp4};
constexpr std::array floats{DType::f32, DType::f16, DType::bf16};

/// Rows of 64 that meet the corners of the formulas: zeros of both signs, constants, one outlier,
/// one sign only, equal magnitudes, the smallest normal and subnormal numbers, and ordinary ones.
std::vector<float> corner_rows() {
  constexpr std::size_t width = 64;
  std::vector<std::vector<float>> rows;
  for (const float constant : {0.0f, -0.0f, 1.0f, -3.5f, 1e-8f, 6e-38f, 1e-40f, -3e-39f})
    rows.emplace_back(width, constant);
  for (const float scale : {1.0f, 1e-3f, 6e3f, 1e-38f, 1e-41f}) {
    rows.push_back(normals(width, 5));
    for (float& v : rows.back()) v *= scale;
  }
  rows.emplace_back(width, 0.0f).front() = 3.0f;
  rows.push_back(normals(width, 6));
  for (float& v : rows.back()) v = std::fabs(v);
  rows.push_back(rows.back());
  for (float& v : rows.back()) v = -v;
  auto& ramp = rows.emplace_back(width);
  for (std::size_t i = 0; i < width; ++i) ramp[i] = (static_cast<float>(i) - 31.5f) / 4.0f;
  std::vector<float> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

TEST(Quantize, DeviceAndHostHaveTheSameBits) {
  const std::vector<float> values = corner_rows();
  const Shape shape{static_cast<std::int64_t>(values.size()) / 64, 64};
  for (const Device& device : test_devices())
    for (const DType dtype : floats)
      for (const QuantizationParams& params : {affine4, affine8, mxfp4}) {
        SCOPED_TRACE(join(device.info().selector, ' ', dtype, ' ', params.mode));
        const Array w = float_array(values, shape, dtype);
        const QuantizedArrays made = quantize_arrays(w, params, device);
        const QuantizedArrays expected = quantize_on_host(w, {params});
        EXPECT_TRUE(same(made.packed, expected.packed));
        EXPECT_TRUE(same(made.scales, expected.scales));
        EXPECT_EQ(made.biases.has_value(), expected.biases.has_value());
        EXPECT_TRUE(!made.biases || same(*made.biases, *expected.biases));
      }
}

TEST(Quantize, AffineEdgesAreWholeNumbersOfScales) {
  std::vector<float> ramp(32);
  for (std::size_t i = 0; i < 32; ++i) ramp[i] = static_cast<float>(i % 16);  // 0 .. 15
  ramp[20] = 0.2f;
  for (const Device& device : test_devices()) {
    const QuantizedArrays q = quantize_arrays(Array::from(ramp, {1, 32}), affine4, device);
    // The positive edge is the larger one, so the scale is negative and code 0 stands for it.
    EXPECT_EQ(q.scales.to_vector<float>()[0], -1.0f);
    EXPECT_EQ(q.biases->to_vector<float>()[0], 15.0f);
    EXPECT_EQ(q.packed.to_vector<std::uint32_t>()[0], 0x89abcdefu);
    EXPECT_EQ(q.packed.to_vector<std::uint32_t>()[1], 0x01234567u);
  }
}

TEST(Quantize, ZeroGroupsHaveMlxScales) {
  const Array w = Array::from(std::vector<float>(32), {1, 32});
  for (const Device& device : test_devices()) {
    EXPECT_EQ(quantize_arrays(w, affine4, device).scales.to_vector<float>()[0], -1e-7f);
    EXPECT_EQ(quantize_arrays(w, mxfp4, device).scales.to_vector<std::uint8_t>()[0], 127);
  }
}

TEST(Quantize, Mxfp4TiesGoTowardsZero) {
  std::vector<float> ties(32);
  const std::vector<float> values{0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f, 6.0f};
  for (std::size_t i = 0; i < 16; ++i) ties[i] = i < 8 ? values[i] : -values[i - 8];
  for (const Device& device : test_devices()) {
    const QuantizedArrays q = quantize_arrays(Array::from(ties, {1, 32}), mxfp4, device);
    EXPECT_EQ(q.scales.to_vector<std::uint8_t>()[0], 127);
    EXPECT_EQ(q.packed.to_vector<std::uint32_t>()[0], 0x76543210u);
    EXPECT_EQ(q.packed.to_vector<std::uint32_t>()[1], 0xfedcba90u);  // -0.25 becomes 0, never -0
  }
}

TEST(Quantize, Mxfp4ScalesRoundUpAndWrapAroundBelowTheSmallest) {
  std::vector<float> w(128);
  w[0] = 6.0f;       // scale 1
  w[32] = 6.00001f;  // scale 2
  w[64] = 1e-44f;    // ratio 2^-149 * 1: far below 2^-127, the byte wraps around
  w[96] = 0x1p-127f * 6.0f;
  for (const Device& device : test_devices()) {
    const auto bytes =
        quantize_arrays(Array::from(w, {1, 128}), mxfp4, device).scales.to_vector<std::uint8_t>();
    EXPECT_EQ(bytes[0], 127);
    EXPECT_EQ(bytes[1], 128);
    EXPECT_EQ(bytes[2], (-149 + 127) & 255);
    EXPECT_EQ(bytes[3], 0);
  }
}

TEST(Quantize, KeepsLeadingAxesAndEmptyShapes) {
  for (const Device& device : test_devices()) {
    const Array w = Array::from(normals(count(6, 64), 9), {2, 3, 64});
    const QuantizedArrays q = quantize_arrays(w, affine4, device);
    EXPECT_EQ(q.packed.shape(), (Shape{2, 3, 8}));
    EXPECT_EQ(q.scales.shape(), (Shape{2, 3, 2}));
    for (const QuantizationParams& params : {affine4, mxfp4}) {
      const Array none = Array::from(std::vector<float>{}, {0, 64});
      EXPECT_EQ(quantize_arrays(none, params, device).packed.shape(), (Shape{0, 8}));
    }
  }
}

TEST(Quantize, RefusesWhatMlxRefuses) {
  const Array matrix = Array::from(std::vector<float>(count(4, 96)), {4, 96});
  EXPECT_THROW(quantize_arrays(matrix), ArgumentError);  // 96 is no multiple of 64
  EXPECT_THROW(quantize_arrays(matrix, {QuantizationMode::affine, 48}), ArgumentError);
  EXPECT_THROW(quantize_arrays(matrix, {QuantizationMode::mxfp4, 64}), ArgumentError);
  EXPECT_THROW(quantize_arrays(matrix.reshape({384}), affine4), ArgumentError);
  EXPECT_THROW(quantize_arrays(Array(1.0f), affine4), ArgumentError);
  EXPECT_THROW(quantize_arrays(Array::from(std::vector<std::int32_t>(64), {1, 64}), affine4),
               ArgumentError);
}

TEST(Dequantize, DeviceAndHostHaveTheSameBits) {
  const std::vector<float> values = corner_rows();
  const Shape shape{static_cast<std::int64_t>(values.size()) / 64, 64};
  for (const Device& device : test_devices())
    for (const DType stored : floats)
      for (const QuantizationParams& params : {affine4, affine8, mxfp4}) {
        const QuantizedArrays q = quantize_on_host(float_array(values, shape, stored), {params});
        for (const DType result : floats) {
          SCOPED_TRACE(join(device.info().selector, ' ', params.mode, ' ', stored, ' ', result));
          const DType arithmetic = q.biases ? stored : result;
          EXPECT_TRUE(same(dequantize(q, params, result, device),
                           dequantize_on_host(q, params, {arithmetic, arithmetic}, result, {})));
        }
      }
}

TEST(Dequantize, Mxfp4IsBf16UnlessToldAndKeepsInfiniteScales) {
  const Array packed = Array::from(std::vector<std::uint32_t>(8, 0x21), {2, 4});
  const Array scales = Array::from(std::vector<std::uint8_t>{255, 0}, {2, 1});
  for (const Device& device : test_devices()) {
    const Array w = dequantize({packed, scales, {}}, mxfp4, {}, device);
    EXPECT_EQ(w.dtype(), DType::bf16);
    const auto values =
        dequantize({packed, scales, {}}, mxfp4, DType::f32, device).to_vector<float>();
    EXPECT_EQ(values[0], std::numeric_limits<float>::infinity());
    EXPECT_TRUE(std::isnan(values[2]));  // 0 * infinity
    EXPECT_EQ(values[32], 0x1p-128f);    // 0.5 * 2^-127
    EXPECT_EQ(values[33], 0x1p-127f);
  }
}

TEST(Dequantize, TakesBiasesThatBroadcastAndMixedTypes) {
  const Array packed = Array::from(std::vector<std::uint32_t>(16, 0x11111111), {2, 8});
  const Array scales = float_array({1, 2, 3, 4}, {2, 2}, DType::f16);
  const Array biases = Array::from(std::vector<float>{10, 20}, {2, 1});
  for (const Device& device : test_devices()) {
    const Array w = dequantize({packed, scales, biases}, affine4, {}, device);
    EXPECT_EQ(w.dtype(), DType::f32);
    const auto values = w.to_vector<float>();
    EXPECT_EQ(values[0], 11.0f);
    EXPECT_EQ(values[32], 12.0f);
    EXPECT_EQ(values[64], 23.0f);
    EXPECT_EQ(values[96], 24.0f);
  }
}

TEST(Dequantize, RoundsTheProductToTheTypeOfTheScales) {
  // 3 * 1.0078125 = 3.0234375 lies between two bf16; 3 * 1.0009765625 between two f16.
  const Array packed = Array::from(std::vector<std::uint32_t>(4, 0x33333333), {1, 4});
  const Array zero = Array::from(std::vector<float>{0}, {1, 1});
  const Array coarse = float_array({1.0078125f}, {1, 1}, DType::bf16);
  const Array fine = float_array({1.0009765625f}, {1, 1}, DType::f16);
  const Array wide_bias = Array::from(std::vector<float>{0x1p-12f}, {1, 1});
  for (const Device& device : test_devices()) {
    const auto first = [&](const Array& scales, const Array& biases) {
      return floats_of(dequantize(packed, scales, biases, 32, 4, "affine", {}, {}, device)).front();
    };
    EXPECT_EQ(first(coarse, zero), 3.03125f);
    EXPECT_EQ(first(fine, zero), 3.00390625f);
    EXPECT_EQ(first(fine, wide_bias), 3.00390625f + 0x1p-12f);
    EXPECT_EQ(first(cast(fine, DType::f32, device), zero), 3.0029296875f);
    const QuantizedWeight w(packed, coarse, zero, affine4);
    const Array row = Array::from(std::vector<std::int32_t>{0}, {1});
    EXPECT_EQ(floats_of(gather_dequantize(row, w, {}, device)).front(), 3.03125f);
    EXPECT_EQ(floats_of(gather_dequantize(row, w, DType::f32, device)).front(), 3.0234375f);
  }
}

TEST(Dequantize, MixedTypesHaveTheSameBitsOnDevicesAndHost) {
  const QuantizationParams params{QuantizationMode::affine, 32, 6};
  const std::array types{DType::f32, DType::f16, DType::bf16};
  for (const DType s : types) {
    for (const DType b : types) {
      const QuantizedArrays w{random_weight(7, 128, {params, DType::f32}, 1).packed(),
                              float_array(normals(28, 2), {7, 4}, s),
                              float_array(normals(28, 3), {7, 4}, b)};
      for (const DType to : types) {
        const Array wanted = dequantize_on_host(w, params, {s, promote(s, b)}, to, {});
        for (const Device& device : test_devices())
          EXPECT_TRUE(same(dequantize(w, params, to, device), wanted))
              << device.info().selector << ' ' << s << ' ' << b << ' ' << to;
      }
    }
  }
}

TEST(Dequantize, RefusesAnIntegerResult) {
  const QuantizedWeight w = random_weight(2, 64, {affine4, DType::f16}, 1);
  EXPECT_THROW(dequantize(w, DType::i32), ArgumentError);
}

TEST(GatherDequantize, TakesRowsFromEitherEnd) {
  for (const Device& device : test_devices())
    for (const Format& format :
         {Format{affine4, DType::f16}, Format{affine8, DType::bf16}, Format{mxfp4}}) {
      const QuantizedWeight w = random_weight(6, 128, format, 4);
      const Array rows = Array::from(std::vector<std::int32_t>{5, 0, -1, -6}, {2, 2});
      const Array picked = gather_dequantize(rows, w, {}, device);
      EXPECT_EQ(picked.shape(), (Shape{2, 2, 128}));
      const Array all = dequantize(w, {}, device);
      EXPECT_EQ(picked.dtype(), all.dtype());
      const auto flat = floats_of(picked), expected = floats_of(all);
      for (std::size_t i = 0; i < 4; ++i)
        for (std::size_t k = 0; k < 128; ++k)
          EXPECT_EQ(flat[i * 128 + k], expected[(i % 2 ? 0 : std::size_t{5}) * 128 + k]);
    }
}

TEST(GatherDequantize, InF32RoundsOnlyToF32) {
  const Array packed = Array::from(std::vector<std::uint32_t>(4, 0xffffffff), {1, 4});
  const Array scales = float_array({0.1f}, {1, 1}, DType::f16);
  const Array biases = float_array({0.01f}, {1, 1}, DType::f16);
  const QuantizedWeight w(packed, scales, biases, affine4);
  const float scale = floats_of(scales)[0], bias = floats_of(biases)[0];
  const Array row = Array::from(std::vector<std::uint32_t>{0}, {});
  for (const Device& device : test_devices()) {
    const Array wide = gather_dequantize(row, w, DType::f32, device);
    EXPECT_EQ(wide.shape(), (Shape{32}));
    EXPECT_EQ(wide.to_vector<float>()[0], 15.0f * scale + bias);
    EXPECT_EQ(floats_of(gather_dequantize(row, w, {}, device))[0],
              round_to(DType::f16, round_to(DType::f16, 15.0f * scale) + bias));
  }
}

TEST(GatherDequantize, RefusesHostRowsOutOfRangeAndReportsDeviceRows) {
  const QuantizedWeight w = random_weight(3, 64, {affine4, DType::f32}, 4);
  for (const Device& device : test_devices()) {
    for (const std::int32_t row : {3, -4})
      EXPECT_THROW(
          gather_dequantize(Array::from(std::vector<std::int32_t>{row}, {1}), w, {}, device),
          ArgumentError);
    const Array computed = argmax(Array::from(std::vector<float>{0, 0, 0, 0, 1}, {1, 5}), device);
    const Array outside = gather_dequantize(computed, w, {}, device);
    EXPECT_THROW(outside.to_vector<float>(), ArgumentError);
    const Array inside = argmax(Array::from(std::vector<float>{0, 0, 1}, {1, 3}), device);
    const auto all = dequantize(w, {}, device).to_vector<float>();
    EXPECT_EQ(gather_dequantize(inside, w, {}, device).to_vector<float>(),
              std::vector<float>(all.end() - 64, all.end()));
    EXPECT_THROW(gather_dequantize(Array::from(std::vector<float>{0}, {1}), w, {}, device),
                 ArgumentError);
  }
}

}  // namespace
}  // namespace clmx
