#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <thread>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "quantized_support.hpp"

namespace clmx {
namespace {

using namespace testing_support;

const QuantizationParams affine4{QuantizationMode::affine, 32, 4};
const QuantizationParams affine8{QuantizationMode::affine, 64, 8};
const QuantizationParams mxfp4{QuantizationMode::mxfp4};

TEST(QuantizedMatmul, PromotesLikeMlx) {
  for (const Device& device : test_devices())
    for (const auto& [x_type, scales] :
         {std::pair{DType::f32, DType::f16}, std::pair{DType::f16, DType::bf16},
          std::pair{DType::bf16, DType::bf16}}) {
      const QuantizedWeight w = random_weight(8, 64, {affine4, scales}, 2);
      const Array x = float_array(normals(count(2, 64), 3), {2, 64}, x_type);
      const Array y = quantized_matmul(x, w, {}, device);
      EXPECT_EQ(y.dtype(), promote(x_type, scales));
      const HostWeight host(w);
      const std::vector<float> rows = floats_of(x);
      for (std::size_t i = 0; i < 16; ++i)
        EXPECT_EQ(floats_of(y)[i], round_to(y.dtype(), canonical(host, i % 8, &rows[i / 8 * 64])));
      EXPECT_EQ(quantized_matmul(x, w, {.dtype = DType::f32}, device).dtype(), DType::f32);
    }
}

TEST(QuantizedMatmul, BiasIsAddedBeforeTheOneRounding) {
  for (const Device& device : test_devices())
    for (const auto& [x_type, bias_type] :
         {std::pair{DType::f16, DType::f16}, std::pair{DType::bf16, DType::f32}})
      for (const std::int64_t m : {1, 5}) {
        SCOPED_TRACE(join(device.info().selector, ' ', x_type, ' ', bias_type, ' ', m));
        const QuantizedWeight w = random_weight(50, 64, {mxfp4}, 2);
        const Array x = float_array(normals(count(m, 64), 3), {m, 64}, x_type);
        const Array bias = float_array(normals(50, 4), {50}, bias_type);
        const Array fused = quantized_matmul(x, w, {.bias = bias}, device);
        const Array sum = quantized_matmul(x, w, {.dtype = DType::f32}, device);
        EXPECT_TRUE(same(fused, cast(add(sum, bias, device), fused.dtype(), device)));
      }
}

TEST(QuantizedMatmul, TakesVectorsBatchesAndIntegers) {
  for (const Device& device : test_devices()) {
    const QuantizedWeight w = random_weight(10, 64, {affine4, DType::f16}, 2);
    const Array batch = Array::from(normals(count(6, 64), 3), {2, 3, 64});
    EXPECT_EQ(quantized_matmul(batch, w, {}, device).shape(), (Shape{2, 3, 10}));
    EXPECT_EQ(quantized_matmul(batch.rows(0, 1).reshape({192}).rows(0, 64), w, {}, device).shape(),
              (Shape{10}));
    std::vector<std::int32_t> whole(64);
    for (std::size_t i = 0; i < 64; ++i) whole[i] = static_cast<std::int32_t>(i) - 30;
    std::vector<float> same_numbers(whole.begin(), whole.end());
    const Array y = quantized_matmul(Array::from(whole, {1, 64}), w, {}, device);
    EXPECT_EQ(y.dtype(), DType::f16);
    EXPECT_TRUE(
        same(y, quantized_matmul(float_array(same_numbers, {1, 64}, DType::f16), w, {}, device)));
  }
}

TEST(QuantizedMatmul, EmptySizesNeedNoKernel) {
  for (const Device& device : test_devices()) {
    const QuantizedWeight w = random_weight(10, 64, {affine4, DType::f32}, 2);
    EXPECT_EQ(quantized_matmul(Array::from(std::vector<float>{}, {0, 64}), w, {}, device).shape(),
              (Shape{0, 10}));
    const QuantizedWeight narrow = random_weight(3, 0, {affine4, DType::f32}, 2);
    const Array bias = Array::from(std::vector<float>{1, 2, 3}, {3});
    const Array x = Array::from(std::vector<float>{}, {2, 0});
    EXPECT_EQ(quantized_matmul(x, narrow, {.bias = bias}, device).to_vector<float>(),
              (std::vector<float>{1, 2, 3, 1, 2, 3}));
  }
}

TEST(QuantizedMatmul, RefusesWhatDoesNotFit) {
  const QuantizedWeight w = random_weight(4, 128, {affine4, DType::f32}, 2);
  const Array x = Array::from(std::vector<float>(256), {2, 128});
  EXPECT_THROW(quantized_matmul(x.reshape({4, 64}), w), ArgumentError);
  EXPECT_THROW(quantized_matmul(Array(1.0f), w), ArgumentError);
  EXPECT_THROW(quantized_matmul(x, w, {.transpose = false}), ArgumentError);
  EXPECT_THROW(quantized_matmul(x, w, {.dtype = DType::i32}), ArgumentError);
  EXPECT_THROW(quantized_matmul(x, w, {.bias = x}), ArgumentError);
  EXPECT_THROW(quantized_matmul(x, w, {.bias = Array::from(std::vector<std::int32_t>(4), {4})}),
               ArgumentError);
  const QuantizedWeight fp = random_weight(4, 128, {mxfp4}, 2);
  EXPECT_THROW(quantized_matmul(Array::from(std::vector<std::int32_t>(128), {1, 128}), fp),
               ArgumentError);
}

TEST(QuantizedMatmul, LooseSpellingIsCheckedAsMlxChecks) {
  const QuantizedWeight w = random_weight(4, 128, {affine4, DType::f32}, 2);
  const Array x = Array::from(normals(count(2, 128), 1), {2, 128});
  const auto loose = [&](const Array& packed, const std::optional<Array>& biases,
                         const QuantizationParams& params) {
    return quantized_matmul(x, packed, w.scales(), biases, true, params.group_size, params.bits,
                            params.mode);
  };
  EXPECT_TRUE(same(loose(w.packed(), w.biases(), affine4), quantized_matmul(x, w)));
  const auto named = [&](const char* mode) {
    return quantized_matmul(x, w.packed(), w.scales(), w.biases(), true, 32, 4, mode);
  };
  EXPECT_TRUE(same(named("affine"), quantized_matmul(x, w)));
  EXPECT_THROW(named("Affine"), ArgumentError);
  EXPECT_THROW(loose(w.packed(), {}, affine4), ArgumentError);
  EXPECT_THROW(loose(w.packed(), w.biases(), {QuantizationMode::affine, 64, 4}), ArgumentError);
  EXPECT_THROW(loose(w.packed(), w.biases(), {QuantizationMode::affine, 32, 8}), ArgumentError);
  EXPECT_THROW(loose(w.packed(), w.biases(), {QuantizationMode::mxfp4, 32, 4}), ArgumentError);
  EXPECT_THROW(loose(x, w.biases(), affine4), ArgumentError);
  EXPECT_THROW(loose(w.packed().reshape({2, 2, 16}), w.biases(), affine4), ArgumentError);
}

TEST(LooseSpelling, TakesModesByNameAndAffineWithoutOne) {
  const Array dense = Array::from(normals(count(4, 64), 5), {1, 4, 64});
  const Array x = Array::from(normals(count(3, 64), 6), {1, 3, 64});
  const Array zero = Array::from(std::vector<std::uint8_t>{0}, {1});
  for (const Device& device : test_devices()) {
    const QuantizedArrays a = quantize(dense, 64, 4, "affine", {}, device);
    EXPECT_TRUE(same(dequantize(a.packed, a.scales, a.biases),
                     dequantize(a.packed, a.scales, a.biases, 64, 4, "affine", {}, {}, device)));
    const QuantizedWeight w(a.packed, a.scales, a.biases, {});
    EXPECT_TRUE(same(gather_qmm(x, a.packed, a.scales, a.biases, {}, zero, true, {}, {}, "affine",
                                false, {}, device),
                     gather_qmm(x, w, {.rhs = zero}, {}, device)));
    const QuantizedArrays f = quantize(dense.reshape({4, 64}), {}, {}, "mxfp8", {}, device);
    const QuantizedWeight v(f.packed, f.scales, {}, {QuantizationMode::mxfp8});
    EXPECT_TRUE(
        same(qqmm(x, f.packed, f.scales, {}, {}, "mxfp8", {}, {}, device), qqmm(x, v, {}, device)));
    EXPECT_THROW((void)qqmm(x, f.packed, f.scales, {}, {}, "mxfp9", {}, {}, device), ArgumentError);
    EXPECT_THROW((void)gather_qmm(x, a.packed, a.scales, a.biases, {}, zero, true, {}, {}, "",
                                  false, {}, device),
                 ArgumentError);
  }
}

TEST(QuantizedMatmul, ThreadsShareOnePreparedWeight) {
  for (const Device& device : test_devices()) {
    const QuantizedWeight w = random_weight(96, 256, {affine4, DType::f16}, 2);
    const Array x = Array::from(normals(256, 3), {1, 256});
    std::vector<std::vector<float>> results(4);
    std::vector<std::thread> threads;
    threads.reserve(results.size());
    for (auto& result : results)
      threads.emplace_back(
          [&] { result = quantized_matmul(x, w, {}, device.new_stream()).to_vector<float>(); });
    for (std::thread& thread : threads) thread.join();
    for (const auto& result : results) EXPECT_EQ(result, results.front());
    EXPECT_EQ(results.front(), quantized_matmul(x, w, {}, device).to_vector<float>());
  }
}

}  // namespace
}  // namespace clmx
