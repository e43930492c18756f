#include "clmx/host/mpq.hpp"

#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

Array halves(float value, const Shape& shape) {
  return Array::from(std::vector<Half>(static_cast<std::size_t>(shape.elements()), Half(value)),
                     shape);
}

Array words(std::int32_t value, const Shape& shape) {
  return Array::from(std::vector<std::int32_t>(static_cast<std::size_t>(shape.elements()), value),
                     shape);
}

/// 64 inputs, 32 outputs, 4 bits, one group of 64; two cells of 16 channels.
MpqTensors tensors() {
  const Shape cells{1, 2, 1};
  const std::vector<std::uint8_t> codes(32, 0x52);
  return {words(0x76543210, Shape{8, 32}),
          Array::from(codes, Shape{1, 2, 16}),
          halves(1, cells),
          halves(0.5f, cells),
          halves(0, cells),
          halves(0.25f, cells)};
}

GptqTensors gptq() {
  return {words(0x76543210, Shape{8, 32}), words(-1, Shape{1, 4}), halves(0.5f, Shape{1, 32})};
}

TEST(Mpq, StatisticsBecomeScalesAndBiases) {
  const QuantizedWeight weight = unpack_mpq(tensors(), {4, 64});
  EXPECT_EQ(weight.out_features(), 32);
  EXPECT_EQ(weight.in_features(), 64);
  EXPECT_EQ(weight.scales().to_vector<Half>(), std::vector<Half>(32, Half(2.0f)));
  EXPECT_EQ(weight.biases()->to_vector<Half>(), std::vector<Half>(32, Half(-0.5f)));
  EXPECT_EQ(weight.packed().to_vector<std::uint32_t>(),
            std::vector<std::uint32_t>(256, 0x76543210));
}

TEST(Mpq, RoundsToHalfAfterEachStep) {
  MpqTensors given = tensors();
  // 5 - 2^-11 rounds to 5 before it is multiplied.
  given.qscales_zeros = halves(0x1p-11f, Shape{1, 2, 1});
  EXPECT_EQ(unpack_mpq(given, {4, 64}).scales().to_vector<Half>()[0], Half(2.5f));
}

TEST(Mpq, QweightIsTurned) {
  std::vector<std::int32_t> values(8 * 32);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int32_t>(i);
  MpqTensors given = tensors();
  given.qweight = Array::from(values, Shape{8, 32});
  const std::vector<std::uint32_t> packed =
      unpack_mpq(given, {4, 64}).packed().to_vector<std::uint32_t>();
  EXPECT_EQ(packed[0], 0u);
  EXPECT_EQ(packed[1], 32u);
  EXPECT_EQ(packed[8], 1u);
}

TEST(Mpq, RefusesWhatDoesNotFit) {
  const MpqTensors good = tensors();
  for (const MpqParams& params : {MpqParams{3, 64}, MpqParams{4, 16}, MpqParams{4, 128}})
    EXPECT_THROW((void)unpack_mpq(good, params), ArgumentError);
  MpqTensors bad = good;
  bad.qweight = Array::from(std::vector<std::uint32_t>(256), Shape{8, 32});
  EXPECT_THROW((void)unpack_mpq(bad, {4, 64}), ArgumentError);
  bad = good;
  bad.qstatistic = Array::from(std::vector<std::uint8_t>(32), Shape{1, 32});
  EXPECT_THROW((void)unpack_mpq(bad, {4, 64}), ArgumentError);
  bad = good;
  bad.qzeros_scales = halves(1, Shape{1, 1, 1});
  EXPECT_THROW((void)unpack_mpq(bad, {4, 64}), ArgumentError);
  bad = good;
  bad.qscales_zeros = Array::from(std::vector<float>(2), Shape{1, 2, 1});
  EXPECT_THROW((void)unpack_mpq(bad, {4, 64}), ArgumentError);
}

TEST(Gptq, ZerosCountFromOneAndAreNotWrapped) {
  const QuantizedWeight weight = unpack_gptq(gptq(), {4, 64});
  EXPECT_EQ(weight.scales().to_vector<Half>()[0], Half(0.5f));
  EXPECT_EQ(weight.biases()->to_vector<float>(), std::vector<float>(32, -8.0f)) << "15 + 1";
  for (const Device& device : test_devices()) {
    const Array x = Array::from(std::vector<float>(64, 1.0f), Shape{1, 64});
    const Array y = quantized_matmul(x, weight, {}, device.default_stream());
    EXPECT_EQ(y.to_vector<float>()[31], 64 * (3.5f * 0.5f - 8.0f)) << device.info().selector;
  }
}

TEST(Gptq, RefusesInputsInAnotherOrder) {
  GptqTensors given = gptq();
  given.g_idx = words(0, Shape{64});
  EXPECT_EQ(unpack_gptq(given, {4, 64}).in_features(), 64);
  given.g_idx = words(1, Shape{64});
  EXPECT_THROW((void)unpack_gptq(given, {4, 64}), ArgumentError);
  given = gptq();
  given.qzeros = words(0, Shape{1, 32});
  EXPECT_THROW((void)unpack_gptq(given, {4, 64}), ArgumentError);
  given = gptq();
  given.qweight = words(0, Shape{8, 31});
  EXPECT_THROW((void)unpack_gptq(given, {4, 64}), ArgumentError);
}

}  // namespace
}  // namespace clmx
