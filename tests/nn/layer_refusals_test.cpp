#include <gtest/gtest.h>

#include <limits>

#include "clmx/host/ops_transformer.hpp"
#include "clmx/nn/activations.hpp"
#include "clmx/nn/attention.hpp"
#include "clmx/nn/norm.hpp"
#include "clmx/nn/quantize.hpp"
#include "clmx/nn/rope.hpp"
#include "clmx/nn/sequential.hpp"

namespace clmx {
namespace {

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

Array rows(std::int64_t time) {
  return Array::from(std::vector<float>(static_cast<std::size_t>(time) * 8, 1.0f), {1, 1, time, 8});
}

RopeOptions rope_options(std::int64_t offset) {
  RopeOptions options;
  options.dims = 8;
  options.base = 10000;
  options.offset = offset;
  return options;
}

template <class Action>
std::string refusal(Action action) {
  try {
    action();
  } catch (const ArgumentError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(LayerRefusals, RopeStaysInsideItsTable) {
  const RopeTable table = make_rope_table(rope_options(0), 4);
  EXPECT_THROW(rope(rows(2), table, largest, AttentionLayout::bhtd), ArgumentError);
  EXPECT_THROW(rope(rows(2), table, 3, AttentionLayout::bhtd), ArgumentError);
  EXPECT_THROW(rope(rows(5), table, 0, AttentionLayout::bhtd), ArgumentError);
  EXPECT_NO_THROW(rope(rows(2), table, 2, AttentionLayout::bhtd));
}

TEST(LayerRefusals, RopeCountsPositionsInSixtyFourBits) {
  const RoPE layer(8);
  EXPECT_THROW(layer.forward(rows(2), largest), ArgumentError);
  EXPECT_THROW(layer.forward(rows(2), std::vector<std::int64_t>{largest}), ArgumentError);
  EXPECT_THROW(RoPE(rope_options(1)).forward(rows(1), largest), ArgumentError);
  EXPECT_THROW(make_rope_table(rope_options(largest), 2), ArgumentError);
}

TEST(LayerRefusals, AttentionCountsPositionsInSixtyFourBits) {
  MultiHeadAttentionOptions options;
  options.dims = 16;
  options.num_heads = 2;
  options.rope = rope_options(largest);
  const MultiHeadAttention layer(options, 1);
  const Array x = Array::from(std::vector<float>(32, 1.0f), {1, 2, 16});
  EXPECT_THROW(layer.forward(x, x, x), ArgumentError);
  KVCache cache = layer.new_cache(1, 4, DType::f32);
  EXPECT_THROW(layer.forward(x, cache), ArgumentError);
  EXPECT_EQ(cache.length(), 0);
}

/// Promises a quantized form and gives none.
class Empty final : public UnaryLayer, public Quantizable {
 public:
  Array forward(const Array& x, StreamOrDevice /*s*/ = {}) const override { return x; }
  void visit(Visitor& /*v*/) override {}
  std::unique_ptr<Module> clone() const override { return std::make_unique<Empty>(*this); }
  std::string describe() const override { return "Empty()"; }
  using Quantizable::to_quantized;
  std::unique_ptr<Module> to_quantized(const QuantizationParams& /*params*/,
                                       StreamOrDevice /*s*/ = {}) const override {
    return nullptr;
  }
};

/// A user's layer over codes of its own; says nothing of freezing, gives no dense form.
class Coded final : public UnaryLayer, public Quantized {
 public:
  Array forward(const Array& x, StreamOrDevice /*s*/ = {}) const override { return x; }
  void visit(Visitor& v) override { v.parameter("codes", codes_); }
  std::unique_ptr<Module> clone() const override { return std::make_unique<Coded>(*this); }
  std::string describe() const override { return "Coded()"; }
  std::unique_ptr<Module> to_dense(std::optional<DType> /*dtype*/ = {},
                                   StreamOrDevice /*s*/ = {}) const override {
    return nullptr;
  }

 private:
  Array codes_ = Array::from(std::vector<float>{1, 2}, {2});
};

TEST(LayerRefusals, ALayerThatGivesNoReplacement) {
  Sequential model;
  model.add(GELU()).add(Empty());
  EXPECT_NE(refusal([&] { quantize(model); }).find("layers.1"), std::string::npos);
  const std::unique_ptr<Module> pointer = std::make_unique<Empty>();
  EXPECT_NE(refusal([&] { quantize(pointer); }).find("Empty()"), std::string::npos);
  Sequential coded;
  coded.add(Coded());
  EXPECT_NE(refusal([&] { dequantize(coded); }).find("layers.0"), std::string::npos);
}

TEST(QuantizedOfAUser, IsFrozenWhenMade) {
  Sequential model;
  model.add(Coded());
  model.unfreeze();
  EXPECT_TRUE(model.trainable_parameters().empty());
  EXPECT_EQ(model.num_parameters(), 1U);
}

TEST(Loading, IgnoreMissingRefusesTheUnknown) {
  Linear layer = Linear::random(4, 2, 1);
  const Array weight = layer.weight();
  EXPECT_EQ(layer.load_weights({{"weight", weight}}, Strictness::ignore_missing).missing,
            std::vector<std::string>{"bias"});
  EXPECT_THROW(
      layer.load_weights({{"weight", weight}, {"odd", weight}}, Strictness::ignore_missing),
      FormatError);
  EXPECT_THROW(layer.load_weights({{"weight", weight}}, Strictness::ignore_unexpected),
               FormatError);
}

TEST(QuantizedCopy, InTheWordsOfMlx) {
  const Linear linear = Linear::random(64, 32, 1);
  const Module& layer = linear;
  const std::unique_ptr<Module> made = quantized_copy(layer, 32, 8, "affine");
  const auto* const quantized = dynamic_cast<const QuantizedLinear*>(made.get());
  ASSERT_NE(quantized, nullptr);
  EXPECT_EQ(quantized->group_size(), 32);
  EXPECT_EQ(quantized->bits(), 8);
}

TEST(Attention, InTheWordsOfMlx) {
  const Array x = rows(3);
  AttentionOptions options{.scale = 0.5f};
  const auto values = [](const Array& y) { return y.to_vector<float>(); };
  EXPECT_EQ(values(scaled_dot_product_attention(x, x, x, 0.5)),
            values(scaled_dot_product_attention(x, x, x, options)));
  options.sinks = Array::from(std::vector<float>{3}, {1});
  options.mask = Array::from(std::vector<float>{0, -9, -9, 0, 0, -9, 0, 0, 0}, {3, 3});
  EXPECT_EQ(values(scaled_dot_product_attention(x, x, x, 0.5f, options.mask, options.sinks)),
            values(scaled_dot_product_attention(x, x, x, options)));
}

TEST(Describe, SaysWhatALayerWasMadeWith) {
  EXPECT_EQ(GELUApprox().describe(), "GELU(approx=precise)");
  EXPECT_EQ(LayerNorm::ones(4).describe(), "LayerNorm(dims=4, eps=1e-05, affine=true, bias=true)");
  EXPECT_EQ(RoPE(8, true, 500, 2).describe(), "RoPE(dims=8, traditional=true, base=500, scale=2)");
  MultiHeadAttentionOptions options;
  options.dims = 16;
  options.num_heads = 4;
  options.num_kv_heads = 2;
  const std::string text = MultiHeadAttention(options, 1).describe();
  EXPECT_NE(text.find("num_kv_heads=2"), std::string::npos) << text;
  EXPECT_NE(text.find("rope=none"), std::string::npos) << text;
}

}  // namespace
}  // namespace clmx
