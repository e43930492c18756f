#include "clmx/nn/attention.hpp"

#include <gtest/gtest.h>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "layers_support.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

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

/// What an action says when it is refused, "accepted" when it is not.
template <class Action>
std::string refusal_of(Action action) {
  try {
    action();
  } catch (const ArgumentError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(MultiHeadAttentionLayer, LeavesTheCacheAsItWasWhenItFails) {
  const Device device = test_devices().front();
  MultiHeadAttention layer({.dims = 64, .num_heads = 4}, 3);
  KVCache cache = layer.new_cache(1, 16);
  (void)layer.forward(waves({1, 3, 64}), cache, device);
  layer.replace("out_proj", std::make_unique<Linear>(Linear::random(32, 64, 1)));
  const std::string said = refusal_of([&] {
    (void)layer.forward(waves({1, 2, 64}), cache, device);
  });
  EXPECT_NE(said.find("out_proj has 32 columns, wanted are 64"), std::string::npos) << said;
  EXPECT_EQ(cache.length(), 3);
}

TEST(MultiHeadAttentionLayer, RotatesEachEntryFromItsOffset) {
  const Device device = test_devices().front();
  const RopeOptions offsets{.dims = 16, .offsets = std::vector<std::int64_t>{0, 5}};
  const MultiHeadAttention layer({.dims = 64, .num_heads = 4, .rope = offsets}, 3);
  KVCache whole = layer.new_cache(2, 16), steps = layer.new_cache(2, 16);
  const Array first = waves({2, 1, 64});
  std::vector<float> twice;
  for (const std::int64_t entry : {0, 0, 1, 1}) {
    const auto row = first.rows(entry, entry + 1).to_vector<float>();
    twice.insert(twice.end(), row.begin(), row.end());
  }
  const Array both = Array::from(twice, {2, 2, 64});
  const auto wanted = layer.forward(both, whole, device).to_vector<float>();
  (void)layer.forward(first, steps, device);
  const auto second = layer.forward(first, steps, device).to_vector<float>();
  for (std::size_t i = 0; i < 64; ++i) {
    EXPECT_EQ(second[i], wanted[64 + i]);
    EXPECT_EQ(second[64 + i], wanted[192 + i]);
  }
}

TEST(MultiHeadAttentionLayer, IsCausalByAMaskAsByACache) {
  const Device device = test_devices().front();
  const MultiHeadAttention layer({.dims = 64, .num_heads = 4}, 3);
  const Array x = waves({1, 6, 64});
  KVCache cache = layer.new_cache(1, 8);
  const Array wanted = layer.forward(x, cache, device);
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    const Array mask = MultiHeadAttention::create_additive_causal_mask(6, dtype);
    EXPECT_EQ(mask.dtype(), dtype);
    if (dtype == DType::f32) expect_near(layer.forward(x, x, x, mask, device), wanted, 1e-6f);
  }
  EXPECT_THROW((void)MultiHeadAttention::create_additive_causal_mask(-1), ArgumentError);
  EXPECT_THROW((void)MultiHeadAttention::create_additive_causal_mask(2, DType::i32), ArgumentError);
}

TEST(MultiHeadAttentionLayer, NamesItsOwnFieldsInErrors) {
  const auto made = [](const MultiHeadAttentionOptions& options) {
    return refusal_of([&] { const MultiHeadAttention layer(options); });
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(made({.dims = 8, .num_heads = 2, .query_input_dims = 0}), "query_input_dims"));
  EXPECT_TRUE(has(made({.dims = 8, .num_heads = 2, .value_input_dims = -1}), "value_input_dims"));
  EXPECT_TRUE(has(made({.dims = 8, .num_heads = 2, .value_output_dims = 0}), "value_output_dims"));
  EXPECT_TRUE(has(made({.dims = 8, .num_heads = 2, .rope = RopeOptions{.dims = 3}}), "even"));
  EXPECT_TRUE(has(made({.dims = 8, .num_heads = 2, .rope = RopeOptions{.dims = 6}}), "rope.dims"));
  const MultiHeadAttention layer({.dims = 64, .num_heads = 4});
  const Array x = waves({1, 2, 64}), wide = waves({1, 2, 65});
  EXPECT_TRUE(has(refusal_of([&] { (void)layer.forward(x, wide, x); }), "keys must have shape"));
}

}  // namespace
}  // namespace clmx
