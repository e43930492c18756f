#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "host_quantize.hpp"
#include "quantized_support.hpp"

namespace clmx {
namespace {

using namespace testing_support;

const QuantizationParams mxfp4{QuantizationMode::mxfp4};
const QuantizationParams mxfp8{QuantizationMode::mxfp8};
const QuantizationParams nvfp4{QuantizationMode::nvfp4};
constexpr std::array floats{DType::f32, DType::f16, DType::bf16};

std::vector<QuantizationParams> all_formats() {
  std::vector<QuantizationParams> formats{mxfp4, mxfp8, nvfp4};
  for (const int bits : {1, 2, 3, 4, 5, 6, 8})
    for (const int group : {16, 32, 64, 128})
      formats.push_back({QuantizationMode::affine, group, bits});
  return formats;
}

/// Rows of 256 that meet the corners of the formulas.
std::vector<float> corner_rows() {
  constexpr std::size_t width = 256;
  std::vector<float> all;
  for (const float constant : {0.0f, -0.0f, 1.0f, -3.5f, 1e-8f, 6e-38f, 1e-40f, -3e-39f, 448.0f})
    all.insert(all.end(), width, constant);
  for (const float scale : {1.0f, 1e-3f, 6e3f, 1e-38f, 1e-41f})
    for (const float value : normals(width, 5)) all.push_back(value * scale);
  for (const float sign : {1.0f, -1.0f})
    for (const float value : normals(width, 6)) all.push_back(sign * std::fabs(value));
  for (std::size_t i = 0; i < width; ++i) all.push_back((static_cast<float>(i % 64) - 31.5f) / 4);
  for (std::size_t i = 0; i < width; ++i) all.push_back((static_cast<float>(i % 49) - 24) / 4);
  for (std::size_t i = 0; i < width; ++i) all.push_back(i % 16 == 3 ? 3e38f : -0.0f);
  return all;
}

std::string text_of(const QuantizationParams& params) {
  return join(params.mode, ' ', params.bit_count(), " bits, group ", params.group());
}

void expect_same(const QuantizedArrays& a, const QuantizedArrays& b) {
  EXPECT_TRUE(same(a.packed, b.packed));
  EXPECT_TRUE(same(a.scales, b.scales));
  ASSERT_EQ(a.biases.has_value(), b.biases.has_value());
  EXPECT_TRUE(!a.biases || same(*a.biases, *b.biases));
}

TEST(Formats, EveryFormatHasTheSameBitsOnDevicesAndHost) {
  const std::vector<float> values = corner_rows();
  const Shape shape{static_cast<std::int64_t>(values.size()) / 256, 256};
  std::size_t turn = 0;
  for (const QuantizationParams& params : all_formats()) {
    const DType dtype = floats[turn++ % floats.size()];
    const Array w = float_array(values, shape, dtype);
    const QuantizedArrays expected = quantize_on_host(w, {params});
    const DType result = floats[turn % floats.size()];
    const DType arithmetic = expected.biases ? dtype : result;
    for (const Device& device : test_devices()) {
      SCOPED_TRACE(join(device.info().selector, ' ', dtype, ' ', text_of(params)));
      expect_same(quantize_arrays(w, params, device), expected);
      EXPECT_TRUE(same(dequantize(expected, params, result, device),
                       dequantize_on_host(expected, params, {arithmetic, arithmetic}, result, {})));
    }
  }
}

/// The largest |value - dequantized| of a group as a share of what the format allows.
float worst_share(const QuantizationParams& params, std::span<const float> w,
                  std::span<const float> back) {
  const auto [low, high] = std::ranges::minmax(w);
  const float largest = std::max(std::fabs(low), std::fabs(high));
  const float steps = static_cast<float>((1u << params.bit_count()) - 1u);
  const float step = params.mode == QuantizationMode::affine  ? (high - low) / steps
                     : params.mode == QuantizationMode::mxfp8 ? largest / 14
                                                              : largest / 3;
  float worst = 0;
  for (std::size_t i = 0; i < w.size(); ++i)
    worst = std::max(worst, std::fabs(w[i] - back[i]) / step);
  return worst;
}

TEST(Formats, RoundTripsStayWithinAStepForRanksTwoToFour) {
  const std::vector<float> values = normals(count(24, 256), 8);
  for (const Device& device : test_devices())
    for (const QuantizationParams& params : all_formats())
      for (const Shape& shape : {Shape{24, 256}, Shape{4, 6, 256}, Shape{2, 3, 4, 256}}) {
        if (shape.rank() < 4 && params.bit_count() % 2 == 0) continue;
        SCOPED_TRACE(join(device.info().selector, ' ', text_of(params), ' ', shape));
        const QuantizedWeight q = quantize(Array::from(values, shape), params, device);
        EXPECT_EQ(q.packed().shape(), shape.with(-1, 256 * params.bit_count() / 32));
        const Array w = dequantize(q, DType::f32, device);
        ASSERT_EQ(w.shape(), shape);
        const std::vector<float> back = w.to_vector<float>();
        const auto group = static_cast<std::size_t>(params.group());
        for (std::size_t at = 0; at < values.size(); at += group)
          ASSERT_LE(worst_share(params, std::span(values).subspan(at, group),
                                std::span(back).subspan(at, group)),
                    1.001f);
      }
}

TEST(Formats, SizeZeroNeedsNoKernel) {
  for (const QuantizationParams& params : {mxfp4, mxfp8, nvfp4, QuantizationParams{}}) {
    const QuantizedArrays q =
        quantize_arrays(Array::from(std::vector<float>{}, {2, 0, 64}), params);
    EXPECT_EQ(q.packed.shape(), (Shape{2, 0, 2 * params.bit_count()}));
    EXPECT_EQ(dequantize(q, params).shape(), (Shape{2, 0, 64}));
  }
}

TEST(Formats, AHalfFullWordIsRefused) {
  const Array w = Array::from(normals(count(2, 48), 1), {2, 48});
  for (const int bits : {1, 3, 5})
    EXPECT_THROW(quantize_arrays(w, {QuantizationMode::affine, 16, bits}), ArgumentError);
  EXPECT_NO_THROW(quantize_arrays(w, {QuantizationMode::affine, 16, 2}));
}

TEST(Formats, TheExampleOfTheDocumentationHasTheseBits) {
  const std::vector<float> eight{-1.9f, 0.3f, 0.45f, -0.1f, 2.2f, 1.0f, 0.05f, -0.7f};
  std::vector<float> row;
  for (int i = 0; i < 4; ++i) row.insert(row.end(), eight.begin(), eight.end());
  const Array w = Array::from(row, {1, 32});
  using Words = std::vector<std::uint32_t>;
  for (const Device& device : test_devices()) {
    const QuantizedArrays affine = quantize(w, 32, 3, "affine", {}, device);
    EXPECT_EQ(affine.packed.to_vector<std::uint32_t>(),
              (Words{0xdfb108dfu, 0x08dfb108u, 0xb108dfb1u}));
    EXPECT_EQ(affine.scales.to_vector<float>().front(), 2.2f / -4);
    EXPECT_EQ(affine.biases->to_vector<float>().front(), 2.2f);
    const auto check = [&](const char* mode, std::uint32_t first, std::uint8_t byte) {
      const QuantizedArrays q = quantize(w, {}, {}, mode, {}, device);
      EXPECT_EQ(q.packed.to_vector<std::uint32_t>().front(), first) << mode;
      EXPECT_EQ(q.scales.to_vector<std::uint8_t>().front(), byte) << mode;
    };
    check("mxfp4", 0xb046021eu, 126);
    check("mxfp8", 0xd56662f7u, 120);
    check("nvfp4", 0xc057922fu, 44);
  }
}

TEST(Quantize, MxfpEightEncodesE4M3AndKeepsTheSignOfZero) {
  std::vector<float> row(32, -0.0f);
  row[0] = 448;
  row[1] = -1;
  row[2] = 0x1p-9f;
  row[3] = 17;  // between 16 and 18: to even
  for (const Device& device : test_devices()) {
    const QuantizedArrays q = quantize_arrays(Array::from(row, {1, 32}), mxfp8, device);
    EXPECT_EQ(q.scales.to_vector<std::uint8_t>()[0], 127);
    EXPECT_EQ(q.packed.to_vector<std::uint32_t>()[0], 0x5801b87eu);
    EXPECT_EQ(q.packed.to_vector<std::uint32_t>()[1], 0x80808080u);
  }
}

TEST(Quantize, GlobalScalesSpreadTheScalesOfNvfp4) {
  std::vector<float> values = normals(64, 3);
  for (float& v : values) v *= 1e-3f;  // below the smallest scale without a global one
  const Array w = Array::from(values, {1, 64});
  const auto largest = std::ranges::max(values, {}, [](float v) { return std::fabs(v); });
  const Array global = Array::from(std::vector<float>{std::fabs(largest)}, {});
  for (const Device& device : test_devices()) {
    const QuantizedWeight q = quantize(w, {nvfp4}, global, device);
    const std::vector<float> back = dequantize(q, DType::f32, device).to_vector<float>();
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(back[i], values[i], std::fabs(largest) / 5);
    EXPECT_TRUE(std::ranges::any_of(q.scales().to_vector<std::uint8_t>(),
                                    [](std::uint8_t byte) { return byte == 0x7e; }));
    expect_same(quantize_on_host(w, {nvfp4}, global), {q.packed(), q.scales(), {}});
  }
}

TEST(Quantize, TheOlderScaleRuleTakesTheNearestPowerOfTwo) {
  const auto byte_of = [](float top, DType dtype, const QuantizationParams& params,
                          ScaleRule rule) {
    std::vector<float> row(32);
    row[5] = -top;
    const QuantizeOptions options{params, rule};
    return quantize_arrays(float_array(row, {1, 32}, dtype), options, {})
        .scales.to_vector<std::uint8_t>()[0];
  };
  constexpr ScaleRule nearest = ScaleRule::nearest, up = ScaleRule::round_up;
  EXPECT_EQ(byte_of(8.48f, DType::f32, mxfp4, nearest), 127);  // 6 sqrt 2 is 8.4853
  EXPECT_EQ(byte_of(8.49f, DType::f32, mxfp4, nearest), 128);
  EXPECT_EQ(byte_of(8.48f, DType::f32, mxfp4, up), 128);
  EXPECT_EQ(byte_of(8.5f, DType::bf16, mxfp4, nearest), 127);  // log2 rounds to 0.5 in bf16
  EXPECT_EQ(byte_of(8.5f, DType::f16, mxfp4, nearest), 128);
  EXPECT_EQ(byte_of(0.0f, DType::f32, mxfp8, nearest), 127);
  EXPECT_EQ(byte_of(448 * 0.7f, DType::f32, mxfp8, nearest), 126);
  EXPECT_EQ(byte_of(448 * 0.72f, DType::f32, mxfp8, nearest), 127);
}

TEST(LooseSpelling, IsTheTypedOneWithTheModesDefaults) {
  const Array w = Array::from(normals(count(4, 128), 2), {4, 128});
  for (const char* name : {"affine", "mxfp4", "mxfp8", "nvfp4"}) {
    const QuantizationMode mode = mode_from_string(name, "test");
    const QuantizedArrays q = quantize(w, {}, {}, name);
    expect_same(q, quantize_arrays(w, {mode}));
    EXPECT_EQ(q.biases.has_value(), mode == QuantizationMode::affine);
    const Array back = dequantize(q.packed, q.scales, q.biases, {}, {}, mode, {}, DType::f16);
    EXPECT_TRUE(same(back, dequantize(q, {mode}, DType::f16)));
  }
  EXPECT_EQ(quantize(w, 32, 3, QuantizationMode::affine).packed.shape(), (Shape{4, 12}));
}

TEST(LooseSpelling, BiasesBelongToAffineModeAlone) {
  const Array w = Array::from(normals(count(4, 128), 2), {4, 128});
  const QuantizedArrays affine = quantize(w, 64, 4, "affine"), fp = quantize(w, 32, 4, "mxfp4");
  EXPECT_THROW(dequantize(affine.packed, affine.scales, {}, 64, 4, "affine"), ArgumentError);
  EXPECT_THROW(dequantize(fp.packed, fp.scales, affine.biases, 32, 4, "mxfp4"), ArgumentError);
  EXPECT_THROW(dequantize(affine.packed, affine.scales, {}, 64, 4, "mxfp4"), ArgumentError);
}

TEST(LooseSpelling, RefusesUnknownModesZeroBitsAndStrayGlobalScales) {
  const Array w = Array::from(normals(count(4, 128), 2), {4, 128});
  const Array one = Array::from(std::vector<float>{1}, {1}), two = w.rows(0, 1).reshape({128});
  for (const char* name : {"", "AFFINE", "int4", "mxfp6"})
    EXPECT_THROW(quantize(w, {}, {}, name), ArgumentError);
  EXPECT_THROW(quantize(w, 64, 0, "affine"), ArgumentError);
  EXPECT_THROW(quantize(w, 0, 4, "affine"), ArgumentError);
  EXPECT_THROW(quantize(w, {}, {}, "mxfp4", one), ArgumentError);
  EXPECT_THROW(quantize(w, {}, {}, "nvfp4", two), ArgumentError);
  EXPECT_THROW(quantize(w, {}, {}, "nvfp4", cast(one, DType::f16)), ArgumentError);
  EXPECT_NO_THROW(quantize(w, {}, {}, "nvfp4", one));
}

TEST(LooseSpelling, DequantizesAnyBitsAndGroupsWhoseShapesAgree) {
  for (const auto& [bits, group] : {std::pair{7, 64}, std::pair{9, 96}, std::pair{12, 48}}) {
    const std::int64_t width = 192, words = width * bits / 32;
    std::mt19937 random(1);
    std::vector<std::uint32_t> stream(count(3, words));
    for (std::uint32_t& word : stream) word = static_cast<std::uint32_t>(random());
    const Array packed = Array::from(stream, {3, words});
    const Shape per_group{3, width / group};
    const Array scales = Array::from(normals(count(3, width / group), 2), per_group);
    const Array biases = Array::from(normals(count(3, width / group), 3), per_group);
    for (const Device& device : test_devices()) {
      const Array w = dequantize(packed, scales, biases, group, bits, "affine", {}, {}, device);
      ASSERT_EQ(w.shape(), (Shape{3, width}));
      const std::vector<float> values = w.to_vector<float>();
      for (std::size_t i = 0; i < values.size(); ++i) {
        std::uint32_t code = 0;
        for (std::size_t b = 0; b < static_cast<std::size_t>(bits); ++b) {
          const std::size_t at = i * static_cast<std::size_t>(bits) + b;
          code |= (stream[at / 32] >> (at % 32) & 1u) << b;
        }
        const std::size_t g = i / static_cast<std::size_t>(group);
        const float scaled = static_cast<float>(code) * scales.to_vector<float>()[g];
        ASSERT_EQ(values[i], scaled + biases.to_vector<float>()[g]) << bits << ' ' << i;
      }
    }
    EXPECT_THROW(QuantizedWeight(packed, scales, biases, {QuantizationMode::affine, group, bits}),
                 ArgumentError);
  }
  const Array packed = Array::from(std::vector<std::uint32_t>(5), {1, 5});
  const Array one = Array::from(std::vector<float>{1}, {1, 1});
  EXPECT_THROW(dequantize(packed, one, one, 22, 7, "affine"), ArgumentError);  // 6 bits left over
}

TEST(Dequantize, GlobalScalesOfStacksAreOnePerMatrix) {
  const Array packed = Array::from(std::vector<std::uint32_t>(16, 0x77777777u), {2, 2, 4});
  const Array scales = Array::from(std::vector<std::uint8_t>(8, 0x38), {2, 2, 2});  // 1
  const Array global = Array::from(std::vector<float>{2688, 1344}, {2});
  const QuantizedWeight w(packed, scales, {}, nvfp4, global);
  for (const Device& device : test_devices()) {
    for (const Array& dense :
         {dequantize(w, {}, device),
          dequantize(packed, scales, {}, {}, {}, "nvfp4", global, {}, device)}) {
      EXPECT_EQ(dense.dtype(), DType::bf16);
      const std::vector<float> values = floats_of(dense);
      EXPECT_EQ(values.front(), 6.0f);
      EXPECT_EQ(values.back(), 3.0f);
    }
  }
}

TEST(GatherDequantize, TakesRowsOfEveryMode) {
  const std::vector<float> values = normals(count(9, 128), 2);
  const Array global = Array::from(std::vector<float>{4.5f}, {1});
  const Array rows = Array::from(std::vector<std::int32_t>{-1, 4, 0}, {3, 1});
  for (const Device& device : test_devices()) {
    std::vector<QuantizedWeight> weights{
        quantize(Array::from(values, {9, 128}), {nvfp4}, global, device)};
    for (const QuantizationParams& params :
         {mxfp8, nvfp4, QuantizationParams{QuantizationMode::affine, 16, 3},
          QuantizationParams{QuantizationMode::affine, 128, 6}})
      weights.push_back(quantize(float_array(values, {9, 128}, DType::bf16), params, device));
    for (const QuantizedWeight& w : weights)
      for (const std::optional<DType> dtype : {std::optional<DType>{}, std::optional(DType::f16)}) {
        SCOPED_TRACE(join(device.info().selector, ' ', text_of(w.params())));
        const Array picked = gather_dequantize(rows, w, dtype, device);
        ASSERT_EQ(picked.shape(), (Shape{3, 1, 128}));
        const Array all = dequantize(w, dtype, device);
        EXPECT_TRUE(same(picked, gather(all, rows, device)));
      }
  }
}

TEST(GatherDequantize, RefusesStacks) {
  const QuantizedWeight stack = quantize(Array::from(normals(256, 1), {2, 2, 64}));
  EXPECT_THROW(gather_dequantize(Array::from(std::vector<std::int32_t>{0}, {1}), stack),
               ArgumentError);
}

/// The definition: sign, exponent (bias 7), mantissa.
double e4m3_value(unsigned code) {
  const int exponent = static_cast<int>(code >> 3 & 15u);
  const unsigned mantissa = code & 7u;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return code & 128u ? -magnitude : magnitude;
}

TEST(Fp8, EveryCodeDecodesExactlyInEveryDType) {
  std::vector<std::uint8_t> codes(256);
  std::iota(codes.begin(), codes.end(), std::uint8_t{0});
  const Array x = Array::from(codes, {16, 16});
  EXPECT_EQ(from_fp8(x).dtype(), DType::bf16);
  for (const Device& device : test_devices())
    for (const DType dtype : floats) {
      const std::vector<float> values = floats_of(from_fp8(x, dtype, device));
      for (unsigned code = 0; code < 256; ++code) {
        if ((code & 127u) == 127u)
          EXPECT_TRUE(std::isnan(values[code]));
        else
          EXPECT_EQ(values[code], static_cast<float>(e4m3_value(code))) << code;
      }
    }
}

/// By search: the nearest of the 127 magnitudes, the even code of two.
std::uint8_t nearest_code(float value) {
  const unsigned sign = std::signbit(value) ? 128u : 0u;
  const double magnitude = std::fabs(static_cast<double>(value));
  if (!(magnitude < 448)) return static_cast<std::uint8_t>(sign | 0x7eu);
  unsigned best = 0;
  for (unsigned code = 1; code < 127; ++code) {
    const double here = std::fabs(e4m3_value(code) - magnitude);
    const double least = std::fabs(e4m3_value(best) - magnitude);
    if (here < least || (here == least && code % 2 == 0)) best = code;
  }
  return static_cast<std::uint8_t>(sign | best);
}

TEST(Fp8, EveryHalfNumberAndTheNeighboursOfEveryMidpointEncodeToTheNearest) {
  std::vector<Half> halves(0x10000);
  for (unsigned bits = 0; bits < 0x10000; ++bits)
    halves[bits].bits = static_cast<std::uint16_t>(bits);
  std::vector<float> points{INFINITY, -INFINITY, NAN, 1e-45f, -1e-40f, 3e38f};
  for (unsigned code = 0; code < 126; ++code) {
    const auto middle = static_cast<float>((e4m3_value(code) + e4m3_value(code + 1)) / 2);
    for (const float value : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e9f)})
      points.insert(points.end(), {value, -value});
  }
  for (const Device& device : test_devices()) {
    const auto codes = to_fp8(Array::from(halves, {256, 256}), device).to_vector<std::uint8_t>();
    for (std::size_t i = 0; i < halves.size(); ++i)
      ASSERT_EQ(codes[i], nearest_code(static_cast<float>(halves[i]))) << i;
    const Array x = Array::from(points, {static_cast<std::int64_t>(points.size())});
    const auto others = to_fp8(x, device).to_vector<std::uint8_t>();
    for (std::size_t i = 0; i < points.size(); ++i)
      EXPECT_EQ(others[i], nearest_code(points[i])) << points[i];
  }
}

TEST(Fp8, RefusesOtherTypes) {
  EXPECT_THROW(to_fp8(Array::from(std::vector<std::int32_t>{1, 2}, {2})), ArgumentError);
  EXPECT_THROW(from_fp8(Array::from(std::vector<std::int32_t>{1, 2}, {2})), ArgumentError);
  EXPECT_THROW(from_fp8(Array::from(std::vector<std::uint8_t>{1, 2}, {2}), DType::i32),
               ArgumentError);
  EXPECT_EQ(to_fp8(Array::from(std::vector<float>{}, {0, 3})).shape(), (Shape{0, 3}));
}

}  // namespace
}  // namespace clmx
