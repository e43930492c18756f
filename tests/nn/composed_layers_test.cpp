#include <gtest/gtest.h>

#include <cmath>

#include "clmx/devices/error.hpp"
#include "clmx/nn/activations.hpp"
#include "clmx/nn/norm.hpp"
#include "clmx/nn/quantize.hpp"
#include "clmx/nn/rope.hpp"
#include "clmx/nn/sequential.hpp"
#include "layers_support.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

TEST(LayerNormLayer, CentersAndScalesRows) {
  const Device device = test_devices().front();
  LayerNorm norm = LayerNorm::ones(64);
  EXPECT_EQ(names(norm), (std::vector<std::string>{"weight", "bias"}));
  const auto y = norm.forward(waves({3, 64}), device).to_vector<float>();
  for (std::size_t row = 0; row < 3; ++row) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < 64; ++i) {
      const auto v = static_cast<double>(y[row * 64 + i]);
      sum += v;
      squares += v * v;
    }
    EXPECT_NEAR(sum / 64, 0, 1e-5);
    EXPECT_NEAR(squares / 64, 1, 1e-3);
  }
  LayerNorm plain = LayerNorm::ones(64, 1e-5f, false);
  EXPECT_TRUE(names(plain).empty());
  EXPECT_THROW((void)norm.forward(waves({3, 63}), device), ArgumentError);
  EXPECT_THROW((void)LayerNorm::ones(0), ArgumentError);
  for (const float eps : {-1e-5f, NAN, INFINITY}) {
    EXPECT_THROW((void)LayerNorm::ones(4, eps), ArgumentError);
    EXPECT_THROW((void)RMSNorm::ones(4, eps), ArgumentError);
  }
}

TEST(SequentialLayer, RunsItsLayersInOrder) {
  const Device device = test_devices().front();
  const Linear first = Linear::random(64, 128, 1), second = Linear::random(128, 8, 2);
  Sequential both(first, GELU(), second);
  const Array x = waves({5, 64});
  const Array wanted = second.forward(gelu(first.forward(x, device), device), device);
  EXPECT_EQ(both.forward(x, device).to_vector<float>(), wanted.to_vector<float>());
  EXPECT_EQ(names(both), (std::vector<std::string>{"layers.0.weight", "layers.0.bias",
                                                   "layers.2.weight", "layers.2.bias"}));
  EXPECT_EQ(quantize(both, {.bits = 8}, device), 2);
  expect_near(both.forward(x, device), wanted, 0.05f);
}

TEST(RoPELayer, BeginsAtTheOffset) {
  const Device device = test_devices().front();
  const RoPE rope_layer(16);
  const Array x = waves({1, 2, 5, 16});
  EXPECT_EQ(rope_layer.forward(x, 7, device).to_vector<float>(),
            rope(x, {.dims = 16, .offset = 7}, device).to_vector<float>());
  EXPECT_THROW(RoPE(15), ArgumentError);
}

TEST(SequentialLayer, CanHoldOneAndRefusesWhatItLacks) {
  const Device device = test_devices().front();
  const Linear layer = Linear::random(64, 8, 1);
  const Sequential one(layer);
  EXPECT_EQ(one.size(), 1U);
  Sequential copy(one);
  copy.add(std::make_unique<GELU>());
  const Sequential nested(one, GELU());
  EXPECT_EQ(copy.size(), 2U);
  EXPECT_EQ(nested.size(), 2U);
  EXPECT_EQ(one.size(), 1U);
  const Array x = waves({2, 64});
  EXPECT_EQ(one.forward(x, device).to_vector<float>(), layer.forward(x, device).to_vector<float>());
  EXPECT_THROW((void)one[1], ArgumentError);
}

TEST(RoPELayer, TakesAnOffsetForEachEntry) {
  const Device device = test_devices().front();
  const RoPE plain(16), moved_by_one(RopeOptions{.dims = 16, .offset = 1});
  const Array x = waves({2, 2, 5, 16});
  const std::vector<std::int64_t> offsets{3, 9};
  const auto wanted = rope(x, {.dims = 16, .offsets = offsets}, device).to_vector<float>();
  EXPECT_EQ(plain.forward(x, offsets, device).to_vector<float>(), wanted);
  EXPECT_EQ(moved_by_one.forward(x, {2, 8}, device).to_vector<float>(), wanted);
  const RoPE own(RopeOptions{.dims = 16, .offsets = std::vector<std::int64_t>{1, 7}});
  EXPECT_EQ(own.forward(x, 2, device).to_vector<float>(), wanted);
  EXPECT_THROW((void)own.forward(x, offsets, device), ArgumentError);
  EXPECT_THROW((void)plain.forward(x, {1, 2, 3}, device), ArgumentError);
}

TEST(RoPELayer, RefusesWhatIsNoRotation) {
  for (const double base : {0.0, -1.0, static_cast<double>(NAN), static_cast<double>(INFINITY)})
    EXPECT_THROW(RoPE(16, false, base), ArgumentError) << base;
  for (const double scale : {0.0, static_cast<double>(NAN)})
    EXPECT_THROW(RoPE(16, false, 10000, scale), ArgumentError) << scale;
}

TEST(ActivationLayers, AreNamedAsInMlx) {
  const Device device = test_devices().front();
  const Sequential all{ReLU(), Sigmoid(), Tanh()};
  EXPECT_EQ(all.description(),
            "Sequential\n  layers.0: ReLU()\n  layers.1: Sigmoid()\n  layers.2: Tanh()\n");
  const Array x = Array::from(std::vector<float>{-2, 0, 2}, {3});
  EXPECT_EQ(ReLU().forward(x, device).to_vector<float>(), (std::vector<float>{0, 0, 2}));
  EXPECT_FLOAT_EQ(Sigmoid().forward(x, device).to_vector<float>()[2], 0.88079708f);
  EXPECT_FLOAT_EQ(Tanh().forward(x, device).to_vector<float>()[0], -0.96402758f);
}

}  // namespace
}  // namespace clmx
