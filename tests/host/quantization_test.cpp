#include "clmx/host/quantization.hpp"

#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "quantized_support.hpp"

namespace clmx {
namespace {

using namespace testing_support;

Array zeros(DType dtype, const Shape& shape) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(shape.elements()) * size_of(dtype));
  return Array::from_bytes(bytes, shape, dtype);
}

const QuantizationParams affine64{QuantizationMode::affine, 64, 4};
const QuantizationParams mxfp4{QuantizationMode::mxfp4};

TEST(QuantizationMode, HasExactLowerCaseNames) {
  EXPECT_EQ(mode_from_string("affine", "test"), QuantizationMode::affine);
  EXPECT_EQ(mode_from_string("nvfp4", "test"), QuantizationMode::nvfp4);
  for (const char* name : {"AFFINE", "", "mxfp6", "affine "})
    EXPECT_THROW(mode_from_string(name, "test"), ArgumentError) << name;
  EXPECT_EQ(join(QuantizationMode::mxfp8), "mxfp8");
}

TEST(QuantizationMode, ANumberThatIsNoModeIsRefused) {
  for (const int number : {7, 4, -1}) {
    const auto mode = static_cast<QuantizationMode>(number);
    EXPECT_THROW((void)to_string(mode), ArgumentError);
    EXPECT_THROW((void)QuantizationParams{mode}.group(), ArgumentError);
    EXPECT_THROW((void)QuantizationParams{mode}.bit_count(), ArgumentError);
    EXPECT_THROW(check_supported({mode}, "test"), ArgumentError);
    EXPECT_THROW(ModeOrName{mode}, ArgumentError);
  }
}

TEST(QuantizationParams, DefaultsBelongToTheMode) {
  EXPECT_EQ(QuantizationParams{}.group(), 64);
  EXPECT_EQ(QuantizationParams{}.bit_count(), 4);
  EXPECT_EQ(QuantizationParams{QuantizationMode::mxfp8}.bit_count(), 8);
  EXPECT_EQ(QuantizationParams{QuantizationMode::nvfp4}.group(), 16);
  EXPECT_EQ((QuantizationParams{QuantizationMode::affine, 0, 0}.group()), 0);
}

TEST(QuantizationParams, ThoseOfMlxAndGroupsOf16AreAccepted) {
  for (const int bits : {1, 2, 3, 4, 5, 6, 8})
    for (const int group : {16, 32, 64, 128})
      EXPECT_NO_THROW(check_supported({QuantizationMode::affine, group, bits}, "test"));
  for (const QuantizationMode mode :
       {QuantizationMode::mxfp4, QuantizationMode::mxfp8, QuantizationMode::nvfp4})
    EXPECT_NO_THROW(check_supported({mode}, "test"));
}

TEST(QuantizationParams, UnsupportedOnesAreRefusedByName) {
  using enum QuantizationMode;
  for (const auto& [mode, group, bits] :
       std::vector<std::tuple<QuantizationMode, int, int>>{{affine, 256, 4},
                                                           {affine, 8, 4},
                                                           {affine, 0, 4},
                                                           {affine, 64, 7},
                                                           {affine, 64, 0},
                                                           {affine, 64, -4},
                                                           {mxfp4, 64, 4},
                                                           {mxfp8, 32, 4},
                                                           {nvfp4, 32, 4}})
    EXPECT_THROW(check_supported({mode, group, bits}, "test"), ArgumentError) << mode << bits;
  try {
    check_supported({mxfp4, 64, 4}, "quantize");
    FAIL();
  } catch (const ArgumentError& error) {
    EXPECT_STREQ(error.what(),
                 "[quantize] mxfp4 has 4 bits and group size 32, not 4 bits and group size 64");
  }
}

TEST(QuantizedWeight, KnowsItsSizes) {
  const QuantizedWeight w(zeros(DType::u32, {6, 16}), zeros(DType::f16, {6, 2}),
                          zeros(DType::f16, {6, 2}), {});
  EXPECT_EQ(w.out_features(), 6);
  EXPECT_EQ(w.in_features(), 128);
  EXPECT_EQ(w.bytes(), 6u * 16 * 4 + 2 * 6 * 2 * 2);
  EXPECT_EQ(w.params().group_size, 64);
  EXPECT_EQ(w.params().bits, 4);
}

TEST(QuantizedWeight, MayBeAStackWithAGlobalScaleEach) {
  const auto stack = [](const Array& global) {
    return QuantizedWeight(zeros(DType::u32, {3, 6, 16}), zeros(DType::u8, {3, 6, 8}), {},
                           {QuantizationMode::nvfp4}, global);
  };
  const QuantizedWeight w = stack(zeros(DType::f32, {3}));
  EXPECT_EQ(w.batch(), Shape{3});
  EXPECT_EQ(w.out_features(), 6);
  EXPECT_EQ(w.in_features(), 128);
  EXPECT_NO_THROW(stack(zeros(DType::f32, {1})));
  EXPECT_NO_THROW(stack(zeros(DType::f32, Shape{})));
  EXPECT_NO_THROW(stack(zeros(DType::f32, {1, 1, 1})));
  EXPECT_THROW(stack(zeros(DType::f32, {2})), ArgumentError);
  EXPECT_THROW(stack(zeros(DType::f32, {3, 1})), ArgumentError);
  EXPECT_THROW(stack(zeros(DType::f16, {3})), ArgumentError);
  EXPECT_THROW(QuantizedWeight(zeros(DType::u32, {6, 16}), zeros(DType::u8, {6, 4}), {},
                               {QuantizationMode::mxfp4}, zeros(DType::f32, {1})),
               ArgumentError);
}

struct Parts {
  Array packed, scales;
  std::optional<Array> biases;
  QuantizationParams params;
};

TEST(QuantizedWeight, RefusesPartsThatDoNotFit) {
  const Array packed = zeros(DType::u32, {4, 16});
  const Array scales = zeros(DType::f32, {4, 2}), exponents = zeros(DType::u8, {4, 4});
  const std::vector<std::pair<const char*, Parts>> wrong{
      {"affine without biases", {packed, scales, {}, affine64}},
      {"mxfp4 with biases", {packed, exponents, exponents, mxfp4}},
      {"mxfp4 with float scales", {packed, zeros(DType::f32, {4, 4}), {}, mxfp4}},
      {"integer scales", {packed, zeros(DType::i32, {4, 2}), scales, affine64}},
      {"integer biases", {packed, scales, zeros(DType::i32, {4, 2}), affine64}},
      {"signed words", {zeros(DType::i32, {4, 16}), scales, scales, affine64}},
      {"biases of another shape", {packed, scales, zeros(DType::f32, {2, 2}), affine64}},
      {"one bias for all groups", {packed, scales, zeros(DType::f32, {4, 1}), affine64}},
      {"fewer rows of scales",
       {packed, zeros(DType::f32, {2, 2}), zeros(DType::f32, {2, 2}), affine64}},
      {"another rank",
       {packed, zeros(DType::f32, {1, 4, 2}), zeros(DType::f32, {1, 4, 2}), affine64}},
      {"another group size", {packed, scales, scales, {QuantizationMode::affine, 32, 4}}},
      {"another width", {packed, scales, scales, {QuantizationMode::affine, 64, 8}}},
      {"a vector",
       {zeros(DType::u32, {16}), zeros(DType::f32, {2}), zeros(DType::f32, {2}), affine64}},
  };
  for (const auto& [why, parts] : wrong)
    EXPECT_THROW(QuantizedWeight(parts.packed, parts.scales, parts.biases, parts.params),
                 ArgumentError)
        << why;
}

TEST(QuantizedWeight, ConcatenationKeepsEveryRowsBits) {
  const Format format{{QuantizationMode::affine, 32, 4}, DType::f16};
  const std::vector<QuantizedWeight> parts{random_weight(40, 96, format, 1),
                                           random_weight(7, 96, format, 2)};
  const QuantizedWeight whole = QuantizedWeight::concatenate(parts);
  EXPECT_EQ(whole.out_features(), 47);
  const Array x = Array::from(normals(count(3, 96), 3), {3, 96});
  for (const Device& device : test_devices()) {
    const auto y = quantized_matmul(x, whole, {}, device).to_vector<float>();
    const auto first = quantized_matmul(x, parts[0], {}, device).to_vector<float>();
    const auto second = quantized_matmul(x, parts[1], {}, device).to_vector<float>();
    for (std::size_t m = 0; m < 3; ++m)
      for (std::size_t n = 0; n < 47; ++n)
        EXPECT_EQ(y[m * 47 + n], n < 40 ? first[m * 40 + n] : second[m * 7 + n - 40]);
  }
}

TEST(QuantizedWeight, ConcatenationRefusesUnlikeWeights) {
  const Format format{{QuantizationMode::affine, 32, 4}, DType::f16};
  const Format other_group{affine64, DType::f16}, other_dtype{format.params, DType::f32};
  const QuantizedWeight first = random_weight(4, 64, format, 1);
  for (const QuantizedWeight& second :
       {random_weight(4, 128, format, 1), random_weight(4, 64, other_group, 1),
        random_weight(4, 64, other_dtype, 1), random_weight(4, 64, {mxfp4}, 1)})
    EXPECT_THROW(QuantizedWeight::concatenate(std::vector{first, second}), ArgumentError);
  EXPECT_THROW(QuantizedWeight::concatenate({}), ArgumentError);
}

}  // namespace
}  // namespace clmx
