#include <gtest/gtest.h>

#include <cmath>

#include "clmx/devices/error.hpp"
#include "clmx/nn/activations.hpp"
#include "clmx/nn/attention.hpp"
#include "clmx/nn/norm.hpp"
#include "clmx/nn/quantize.hpp"
#include "clmx/nn/rope.hpp"
#include "clmx/nn/sequential.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

Array waves(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(0.37f * static_cast<float>(i));
  }
  return Array::from(values, shape);
}

void expect_near(const Array& got, const Array& wanted, float bound) {
  ASSERT_EQ(got.shape(), wanted.shape());
  const auto a = got.to_vector<float>(), b = wanted.to_vector<float>();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], bound) << i;
}

std::vector<std::string> names(Module& module) {
  std::vector<std::string> result;
  for (const NamedArray& parameter : module.parameters()) result.push_back(parameter.name);
  return result;
}

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
  EXPECT_THROW((void)LayerNorm::ones(4, 0), ArgumentError);
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

/// What MultiHeadAttention has to give, from its parameters and the ops.
Array attention_by_ops(MultiHeadAttention& layer, const Array& x, std::int64_t kv_heads,
                       const Device& device) {
  const auto parameters = layer.parameters();
  const std::int64_t batch = x.shape(0), time = x.shape(1);
  const auto heads = [&](std::size_t i, std::int64_t n) {
    const Array y = matmul(x, parameters[i].value, true, device);
    return y.reshape({batch, time, n, y.shape(2) / n});
  };
  AttentionOptions how{.scale = 0.25f, .causal = true, .layout = AttentionLayout::bthd};
  how.sinks = parameters[4].value;
  const Array mixed = scaled_dot_product_attention(heads(0, 4), heads(1, kv_heads),
                                                   heads(2, kv_heads), how, device);
  return matmul(mixed.reshape({batch, time, 64}), parameters[3].value, true, device);
}

TEST(MultiHeadAttentionLayer, OverACacheEqualsOverAllAtOnce) {
  const Device device = test_devices().front();
  MultiHeadAttention layer({.dims = 64, .num_heads = 4, .num_kv_heads = 2, .sinks = true}, 3);
  EXPECT_EQ(names(layer),
            (std::vector<std::string>{"query_proj.weight", "key_proj.weight", "value_proj.weight",
                                      "out_proj.weight", "sinks"}));
  const Array x = waves({1, 9, 64});
  const Array wanted = attention_by_ops(layer, x, 2, device);
  KVCache whole = layer.new_cache(1, 16);
  EXPECT_EQ(layer.forward(x, whole, device).to_vector<float>(), wanted.to_vector<float>());
  KVCache cache = layer.new_cache(1, 16);
  std::vector<float> got;
  const auto all = x.to_vector<float>();
  for (std::ptrdiff_t t = 0; t < 9; ++t) {
    const std::vector<float> row(all.begin() + 64 * t, all.begin() + 64 * (t + 1));
    const auto y = layer.forward(Array::from(row, {1, 1, 64}), cache, device).to_vector<float>();
    got.insert(got.end(), y.begin(), y.end());
  }
  EXPECT_EQ(got, wanted.to_vector<float>());
}

TEST(MultiHeadAttentionLayer, TakesOtherSizesAndAMask) {
  const Device device = test_devices().front();
  MultiHeadAttention layer({.dims = 64,
                            .num_heads = 4,
                            .query_input_dims = 32,
                            .key_input_dims = 48,
                            .value_dims = 128,
                            .value_output_dims = 16,
                            .bias = true,
                            .rope = RopeOptions{.dims = 16}});
  const Array q = waves({2, 3, 32}), k = waves({2, 7, 48});
  EXPECT_EQ(layer.forward(q, k, k, {}, device).shape(), (Shape{2, 3, 16}));
  // A mask that leaves one key makes the result that of this key alone.
  std::vector<std::uint8_t> mask(7);
  mask[0] = 1;
  const Array only = layer.forward(q, k, k, Array::from(mask, {7}), device);
  std::vector<float> one = k.to_vector<float>();
  std::vector<float> first(one.begin(), one.begin() + 48);
  first.insert(first.end(), one.begin() + 7 * 48, one.begin() + 8 * 48);
  const Array alone = Array::from(first, {2, 1, 48});
  expect_near(only, layer.forward(q, alone, alone, {}, device), 1e-5f);
  EXPECT_THROW((void)layer.new_cache(1, 4), ArgumentError);
}

TEST(MultiHeadAttentionLayer, NamesTheFieldThatIsWrong) {
  const auto refusal = [](const MultiHeadAttentionOptions& options) -> std::string {
    try {
      const MultiHeadAttention layer(options);
    } catch (const ArgumentError& error) {
      return error.what();
    }
    return "accepted";
  };
  const auto names = [&](const MultiHeadAttentionOptions& options, const char* field) {
    return refusal(options).find(field) != std::string::npos;
  };
  EXPECT_TRUE(names({.num_heads = 4}, "dims must be positive"));
  EXPECT_TRUE(names({.dims = 4}, "num_heads must be positive"));
  EXPECT_TRUE(names({.dims = 6, .num_heads = 4}, "must divide dims"));
  EXPECT_TRUE(names({.dims = 8, .num_heads = 4, .num_kv_heads = 3}, "num_kv_heads"));
}

}  // namespace
}  // namespace clmx
