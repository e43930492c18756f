#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "clmx/devices/error.hpp"
#include "clmx/host/gguf.hpp"
#include "support/gguf_builder.hpp"
#include "support/real_model.hpp"
#include "support/temp_folder.hpp"

namespace clmx {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint32_t f32_type = 0, f16_type = 1, q4_0_type = 2, q4_1_type = 3, q8_0_type = 8;

std::string half(float value) {
  return GgufBuilder::raw(Half(value).bits);
}

/// 16 bytes whose low nibbles are 0..15 and whose high nibbles are 15..0: codes 0..15, 15..0.
std::string up_and_down() {
  std::string bytes;
  for (int i = 0; i < 16; ++i) bytes += static_cast<char>(i | (15 - i) << 4);
  return bytes;
}

GgufFile with_tensor(const TempFolder& folder, std::uint32_t type,
                     const std::vector<std::uint64_t>& dims, const std::string& bytes) {
  return GgufFile(folder.write("t.gguf", GgufBuilder().tensor("t", type, dims, bytes).bytes()));
}

std::vector<float> floats(const Array& array) {
  std::vector<float> values;
  if (array.dtype() == DType::f32) return array.to_vector<float>();
  for (const Half h : array.to_vector<Half>()) values.push_back(static_cast<float>(h));
  return values;
}

TEST(GgufWeight, MapsQ40WithBiasMinusEightScales) {
  const TempFolder folder;
  const GgufFile file = with_tensor(folder, q4_0_type, {32, 1}, half(0.5f) + up_and_down());
  const QuantizedWeight weight = gguf_weight(file, "t");
  EXPECT_THAT(weight.packed().to_vector<std::uint32_t>(),
              ElementsAre(0x76543210, 0xfedcba98, 0x89abcdef, 0x01234567));
  EXPECT_EQ(weight.scales().dtype(), DType::f16);
  EXPECT_THAT(floats(weight.scales()), ElementsAre(0.5f));
  EXPECT_THAT(floats(*weight.biases()), ElementsAre(-4.0f));
  EXPECT_EQ(weight.params().group_size, 32);
  EXPECT_EQ(weight.params().bits, 4);
}

TEST(GgufWeight, MapsQ41WithItsMinimum) {
  const TempFolder folder;
  const std::string block = half(0.25f) + half(-3.0f) + up_and_down();
  const QuantizedWeight weight = gguf_weight(with_tensor(folder, q4_1_type, {32, 1}, block), "t");
  EXPECT_THAT(weight.packed().to_vector<std::uint32_t>(),
              ElementsAre(0x76543210, 0xfedcba98, 0x89abcdef, 0x01234567));
  EXPECT_THAT(floats(weight.scales()), ElementsAre(0.25f));
  EXPECT_THAT(floats(*weight.biases()), ElementsAre(-3.0f));
}

TEST(GgufWeight, MapsQ80ToCodesAround128) {
  const TempFolder folder;
  std::string codes(32, '\0');
  codes[0] = -128;
  codes[1] = 127;
  codes[2] = -1;
  codes[31] = 1;
  const QuantizedWeight weight =
      gguf_weight(with_tensor(folder, q8_0_type, {32, 1}, half(2.0f) + codes), "t");
  EXPECT_THAT(weight.packed().to_vector<std::uint32_t>(),
              ElementsAre(0x807fff00, 0x80808080, 0x80808080, 0x80808080, 0x80808080, 0x80808080,
                          0x80808080, 0x81808080));
  EXPECT_THAT(floats(*weight.biases()), ElementsAre(-256.0f));
  EXPECT_EQ(weight.params().bits, 8);
}

TEST(GgufWeight, KeepsScalesInF32WhereABiasLeavesF16) {
  const TempFolder folder;
  const std::string codes(32, '\0');
  const std::string blocks = half(511.5f) + codes + half(512.0f) + codes;
  const QuantizedWeight fits =
      gguf_weight(with_tensor(folder, q8_0_type, {32, 1}, blocks.substr(0, 34)), "t");
  EXPECT_EQ(fits.scales().dtype(), DType::f16);
  const QuantizedWeight wide = gguf_weight(with_tensor(folder, q8_0_type, {64, 1}, blocks), "t");
  EXPECT_EQ(wide.scales().dtype(), DType::f32);
  EXPECT_THAT(floats(wide.scales()), ElementsAre(511.5f, 512.0f));
  EXPECT_THAT(floats(*wide.biases()), ElementsAre(-65472.0f, -65536.0f));
}

TEST(GgufWeight, KeepsSubnormalScalesExactly) {
  const TempFolder folder;
  const QuantizedWeight weight =
      gguf_weight(with_tensor(folder, q4_0_type, {32, 1}, half(0x1p-24f) + up_and_down()), "t");
  EXPECT_THAT(floats(*weight.biases()), ElementsAre(-0x1p-21f));
}

TEST(GgufWeight, MovesWholeRowsIntoTheOrderAsked) {
  const TempFolder folder;
  std::string blocks;
  for (int row = 0; row < 3; ++row) {
    blocks += half(static_cast<float>(row + 1)) + std::string(16, static_cast<char>(0x11 * row));
  }
  const GgufFile file = with_tensor(folder, q4_0_type, {32, 3}, blocks);
  const std::vector<std::int64_t> order{2, 0, 1};
  const QuantizedWeight weight = gguf_weight(file, "t", order);
  EXPECT_THAT(floats(weight.scales()), ElementsAre(3, 1, 2));
  EXPECT_EQ(weight.packed().to_vector<std::uint32_t>()[0], 0x22222222);
  EXPECT_EQ(weight.packed().to_vector<std::uint32_t>()[4], 0);

  EXPECT_THROW(gguf_weight(file, "t", std::vector<std::int64_t>{0, 1}), ArgumentError);
  EXPECT_THROW(gguf_weight(file, "t", std::vector<std::int64_t>{0, 1, 3}), ArgumentError);
  EXPECT_THROW(gguf_weight(file, "t", std::vector<std::int64_t>{0, 1, -1}), ArgumentError);
}

TEST(GgufWeight, RefusesScalesThatAreNotFiniteWithTheirPlace) {
  const TempFolder folder;
  const std::string good = half(1) + up_and_down();
  const GgufFile file =
      with_tensor(folder, q4_0_type, {64, 1}, good + half(INFINITY) + up_and_down());
  try {
    gguf_weight(file, "t");
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_EQ(error.offset(), file.at("t").file_offset + 18);
    EXPECT_THAT(error.what(), HasSubstr("not finite"));
  }
}

TEST(GgufWeight, RefusesOtherTypesAndShapes) {
  const TempFolder folder;
  EXPECT_THROW(gguf_weight(with_tensor(folder, f32_type, {1, 1}, std::string(4, '\0')), "t"),
               FormatError);
  EXPECT_THROW(gguf_weight(with_tensor(folder, q4_0_type, {32}, std::string(18, '\0')), "t"),
               FormatError);
  EXPECT_THROW(gguf_array(with_tensor(folder, q4_0_type, {32}, std::string(18, '\0')), "t"),
               FormatError);
  EXPECT_TRUE(is_quantized_gguf_type("Q4_1"));
  EXPECT_FALSE(is_quantized_gguf_type("Q4_K"));
}

TEST(GgufArray, ReadsFloatsAndOrdersRows) {
  const TempFolder folder;
  const GgufFile file =
      with_tensor(folder, f16_type, {2, 2}, half(1) + half(2) + half(3) + half(4));
  EXPECT_THAT(floats(gguf_array(file, "t")), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(gguf_array(file, "t").shape(), (Shape{2, 2}));
  EXPECT_THAT(floats(gguf_array(file, "t", std::vector<std::int64_t>{1, 0})),
              ElementsAre(3, 4, 1, 2));
}

/// Decodes one value of a block by the definition of the GGUF types.
double decode_gguf(const std::string& type, const std::uint8_t* block, std::size_t i) {
  const auto number = [&](std::size_t at) {
    Half h;
    h.bits = static_cast<std::uint16_t>(block[at] | block[at + 1] << 8);
    return static_cast<double>(static_cast<float>(h));
  };
  if (type == "Q8_0") return number(0) * static_cast<std::int8_t>(block[2 + i]);
  const std::size_t codes_at = type == "Q4_1" ? 4 : 2;
  const int byte = block[codes_at + i % 16];
  const int code = i < 16 ? byte & 15 : byte >> 4;
  return type == "Q4_1" ? number(0) * code + number(2) : number(0) * (code - 8);
}

/// The number of values that differ between the file's tensor and the weight.
std::size_t count_differences(const TensorEntry& entry, const QuantizedWeight& weight) {
  const auto packed = weight.packed().to_vector<std::uint32_t>();
  const auto scales = floats(weight.scales());
  const auto biases = floats(*weight.biases());
  const auto bits = static_cast<std::size_t>(*weight.params().bits);
  const std::size_t block_bytes = entry.bytes.bytes.size() / scales.size();
  const auto* blocks = reinterpret_cast<const std::uint8_t*>(entry.bytes.bytes.data());
  std::size_t differences = 0;
  for (std::size_t i = 0; i < scales.size() * 32; ++i) {
    const std::uint32_t code = packed[i * bits / 32] >> (i * bits % 32) & ((1u << bits) - 1);
    const double value = static_cast<double>(scales[i / 32]) * code + biases[i / 32];
    differences += value != decode_gguf(entry.type, blocks + i / 32 * block_bytes, i % 32);
  }
  return differences;
}

TEST(GgufWeight, IsExactForEveryTensorOfARealModel) {
  const auto path = real_model();
  if (!path) GTEST_SKIP() << "no real model: set CLMX_MODEL";
  const GgufFile file(*path);
  int weights = 0;
  for (const auto& [name, entry] : file.tensors()) {
    if (!is_quantized_gguf_type(entry.type)) continue;
    const QuantizedWeight weight = gguf_weight(file, name);
    EXPECT_EQ(weight.out_features(), entry.shape[0]);
    EXPECT_EQ(weight.in_features(), entry.shape[1]);
    EXPECT_EQ(count_differences(entry, weight), 0) << name;
    ++weights;
  }
  EXPECT_GT(weights, 0);
}

}  // namespace
}  // namespace clmx
