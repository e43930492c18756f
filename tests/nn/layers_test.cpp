#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <set>

#include "clmx/devices/error.hpp"
#include "clmx/nn/attention.hpp"
#include "clmx/nn/builders.hpp"
#include "clmx/nn/norm.hpp"
#include "clmx/nn/quantize.hpp"
#include "clmx/nn/switch_glu.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

TEST(Layers, RefuseWeightsThatDoNotFit) {
  const Array matrix = Array::from(std::vector<float>(12), Shape{3, 4});
  const Array vector = Array::from(std::vector<float>(4), Shape{4});
  EXPECT_THROW(Linear{vector}, ArgumentError);
  EXPECT_THROW(Linear(matrix, vector), ArgumentError);
  EXPECT_THROW(Embedding{vector}, ArgumentError);
  EXPECT_THROW(RMSNorm(matrix, 1e-5f), ArgumentError);
}

TEST(Layers, LinearAddsItsBiasInThePromotedType) {
  const Device device = test_devices().front();
  const std::vector<Half> ones(4, Half(1.0f));
  const Array x = Array::from(ones, Shape{1, 4});
  const Linear linear(Array::from(std::vector<Half>(8, Half(0.5f)), Shape{2, 4}),
                      Array::from(std::vector<float>{1.0f, -1.0f}, Shape{2}));
  const Array y = linear.forward(x, device);
  EXPECT_EQ(y.dtype(), DType::f32);
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{3.0f, 1.0f}));
  EXPECT_EQ(linear.product(x, DType::f16, device).dtype(), DType::f16);
}

TEST(Layers, QuantizedLinearFollowsTheDenseOne) {
  const Device device = test_devices().front();
  const Linear dense = Linear::random(64, 32, 5);
  const auto quantized = dense.to_quantized({.group_size = 32, .bits = 8}, device);
  const Array x = Array::from(std::vector<float>(128, 0.25f), Shape{2, 64});
  const auto wanted = dense.forward(x, device).to_vector<float>();
  const auto got =
      dynamic_cast<const LinearLayer&>(*quantized).forward(x, device).to_vector<float>();
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 0.02);
}

TEST(Layers, EmbeddingLooksRowsUpAndMultipliesByThem) {
  const Device device = test_devices().front();
  const Embedding table(Array::from(std::vector<float>{1, 2, 3, 4, 5, 6}, Shape{3, 2}));
  const Array ids = Array::from(std::vector<std::int32_t>{2, 0}, Shape{2});
  EXPECT_EQ(table.forward(ids, device).to_vector<float>(), (std::vector<float>{5, 6, 1, 2}));
  const Array x = Array::from(std::vector<float>{1, 1}, Shape{1, 2});
  EXPECT_EQ(table.as_linear(x, device).to_vector<float>(), (std::vector<float>{3, 7, 11}));
}

TEST(Layers, RandomLayersDependOnTheSeedAlone) {
  EXPECT_EQ(Linear::random(8, 4, 3).weight().to_vector<float>(),
            Linear::random(8, 4, 3).weight().to_vector<float>());
  EXPECT_NE(Linear::random(8, 4, 3).weight().to_vector<float>(),
            Linear::random(8, 4, 4).weight().to_vector<float>());
  for (const float value : Linear::random(16, 16, 1).weight().to_vector<float>()) {
    EXPECT_LE(std::abs(value), 0.25f);
  }
}

TEST(Layers, RandomEmbeddingsAreNormal) {
  const std::vector<float> values = Embedding::random(1000, 64, 7).weight().to_vector<float>();
  double sum = 0, squares = 0;
  int beyond = 0;
  for (const float value : values) {
    const double z = 8.0 * static_cast<double>(value);  // deviation 1/8
    sum += z;
    squares += z * z;
    if (std::abs(z) > 2.5758) ++beyond;  // 1 % of a normal distribution
  }
  const auto n = static_cast<double>(values.size());
  EXPECT_NEAR(sum / n, 0, 0.02);
  EXPECT_NEAR(squares / n, 1, 0.03);
  EXPECT_NEAR(beyond / n, 0.01, 0.002);
}

TEST(Layers, NeighbouringSeedsGiveUnrelatedNumbers) {
  const auto a = Linear::random(64, 64, 1).weight().to_vector<float>();
  const auto b = Linear::random(64, 64, 2).weight().to_vector<float>();
  for (std::size_t shift = 0; shift < 8; ++shift) {
    EXPECT_FALSE(std::equal(a.begin() + static_cast<std::ptrdiff_t>(shift), a.end(), b.begin()));
  }
}

TEST(Layers, QuantizedLayersTellHowTheyAreStored) {
  const Device device = test_devices().front();
  const QuantizedLinear affine = QuantizedLinear::random(128, 16, 1, true, {}, device);
  EXPECT_EQ(affine.mode(), QuantizationMode::affine);
  EXPECT_EQ(affine.group_size(), QuantizedLinear::default_group_size);
  EXPECT_EQ(affine.bits(), QuantizedLinear::default_bits);
  EXPECT_EQ(affine.scales().shape(), (Shape{16, 2}));
  EXPECT_TRUE(affine.biases());
  EXPECT_EQ(affine.describe(),
            "QuantizedLinear(input_dims=128, output_dims=16, bias=true, group_size=64, bits=4, "
            "mode=affine)");
  const auto mxfp4 =
      QuantizedEmbedding::random(8, 64, 1, {.mode = QuantizationMode::mxfp4}, device);
  EXPECT_EQ(mxfp4.group_size(), 32);
  EXPECT_FALSE(mxfp4.biases());
}

TEST(Layers, DequantizingGivesTheDenseLayerBack) {
  const Device device = test_devices().front();
  const Linear dense = Linear::random(64, 8, 1);
  const QuantizedLinear quantized = QuantizedLinear::from_linear(dense, {.bits = 8}, device);
  const auto back = quantized.to_dense({}, device);
  const auto& linear = dynamic_cast<const Linear&>(*back);
  EXPECT_EQ(linear.weight().dtype(), DType::f32);
  const auto got = linear.weight().to_vector<float>(), wanted = dense.weight().to_vector<float>();
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 0.001);
  EXPECT_TRUE(linear.bias());
}

TEST(Layers, EmbeddingsTakeIdsOfAnyShape) {
  const Device device = test_devices().front();
  const auto table = QuantizedEmbedding::random(8, 64, 1, {}, device);
  const Array last = Array::from(std::vector<std::int32_t>{-1}, Shape{});
  EXPECT_EQ(table.forward(last, device).shape(), (Shape{64}));
  const Array none = Array::from(std::vector<std::int32_t>{}, Shape{2, 0});
  EXPECT_EQ(table.forward(none, device).shape(), (Shape{2, 0, 64}));
  EXPECT_EQ(table.as_linear(Array::from(std::vector<float>(64, 1.0f), Shape{64}), device).shape(),
            (Shape{8}));
}

template <class Build>
std::string refusal(Build build) {
  try {
    build();
  } catch (const ArgumentError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Builders, MakeLayersFieldByField) {
  const Device device = test_devices().front();
  const QuantizedLinear layer =
      QuantizedLinearBuilder().input_dims(64).output_dims(5).bias(false).mode("mxfp8").build(
          device);
  EXPECT_EQ(layer.in_features(), 64);
  EXPECT_EQ(layer.bits(), 8);
  EXPECT_FALSE(layer.bias());
  const QuantizedEmbedding table =
      QuantizedEmbeddingBuilder().embedding_count(3).dimensions(64).bits(2).build(device);
  EXPECT_EQ(table.bits(), 2);
  EXPECT_EQ(EmbeddingBuilder().embedding_count(3).dimensions(4).seed(9).build().weight().shape(),
            (Shape{3, 4}));
  EXPECT_TRUE(LinearBuilder().input_dims(3).output_dims(4).build().bias());
}

TEST(Builders, NameTheFieldThatIsWrong) {
  const auto names = [](const std::string& text, const char* field) {
    return text.find(field) != std::string::npos;
  };
  EXPECT_TRUE(names(refusal([] { LinearBuilder().input_dims(3).build(); }), "output_dims"));
  EXPECT_TRUE(names(refusal([] { LinearBuilder().output_dims(3).build(); }), "input_dims"));
  EXPECT_TRUE(names(refusal([] { LinearBuilder().input_dims(0).output_dims(3).build(); }),
                    "input_dims must be positive"));
  EXPECT_TRUE(names(refusal([] { EmbeddingBuilder().dimensions(3).build(); }), "embedding_count"));
  EXPECT_TRUE(names(refusal([] { EmbeddingBuilder().embedding_count(1).dimensions(-2).build(); }),
                    "dimensions"));
  const auto sized = [] { return QuantizedLinearBuilder().input_dims(64).output_dims(8); };
  EXPECT_TRUE(names(refusal([&] { sized().bits(0).build(); }), "bits"));
  EXPECT_TRUE(names(refusal([&] { sized().group_size(-1).build(); }), "group_size"));
  EXPECT_TRUE(names(refusal([&] { sized().mode("int4").build(); }), "int4"));
}

/// A user's own layer with a quantized form.
class Doubled final : public Module, public Quantizable {
 public:
  explicit Doubled(std::int64_t width) : weight_(Linear::random(width, width, 1).weight()) {}
  void visit(Visitor& v) override { v.parameter("weight", weight_); }
  std::unique_ptr<Module> clone() const override { return std::make_unique<Doubled>(*this); }
  std::string describe() const override { return "Doubled"; }
  std::unique_ptr<Module> to_quantized(const QuantizationParams& params,
                                       StreamOrDevice s) const override {
    return std::make_unique<QuantizedLinear>(quantize(weight_, params, s));
  }

 private:
  Array weight_;
};

class Holder final : public Module {
 public:
  void visit(Visitor& v) override { v.slot("own", own); }
  std::unique_ptr<Module> clone() const override { return std::make_unique<Holder>(*this); }
  std::string describe() const override { return "Holder"; }
  Slot<Module> own{std::make_unique<Doubled>(64)};
};

TEST(Quantize, TakesAUsersOwnLayer) {
  const Device device = test_devices().front();
  Holder holder;
  EXPECT_EQ(quantize(holder, 32, 8, "affine", {}, device), 1);
  EXPECT_EQ(dynamic_cast<const QuantizedLinear&>(*holder.own).bits(), 8);
  EXPECT_EQ(quantize(holder, 32, 8, "affine", {}, device), 0);
  EXPECT_EQ(dequantize(holder, {}, device), 1);
  EXPECT_TRUE(dynamic_cast<const Linear*>(&*holder.own));
}

TEST(Quantize, KnowsTheTypeOfSingleLayersAndContainers) {
  const Device device = test_devices().front();
  const Linear dense = Linear::random(64, 8, 1);
  const QuantizedLinear one = quantize(dense, {}, device);
  const QuantizedLinear same = quantize(one, {.bits = 8}, device);
  EXPECT_EQ(same.bits(), 4);
  const std::vector<QuantizedLinear> many = quantize(std::vector{dense, dense}, {}, device);
  EXPECT_EQ(many.size(), 2U);
  const std::optional<QuantizedEmbedding> table =
      quantize(std::optional(Embedding::random(4, 64, 1)), {}, device);
  EXPECT_TRUE(table);
  EXPECT_FALSE(quantize(std::optional<Linear>(), {}, device));
  const std::unique_ptr<QuantizedLinear> owned =
      quantize(std::make_unique<Linear>(dense), {}, device);
  EXPECT_EQ(owned->scales().shape(), one.scales().shape());
  std::vector<std::unique_ptr<Linear>> pointers;
  pointers.push_back(std::make_unique<Linear>(dense));
  EXPECT_EQ(quantize(pointers, {}, device).size(), 1U);
}

TEST(Layers, RandomNumbersAreTheSameOnEveryMachine) {
  const auto uniform = Linear::random(4, 2, 7).weight().to_vector<float>();
  EXPECT_EQ(uniform,
            (std::vector<float>{-0x1.a378dep-2f, 0x1.fff7a8p-4f, 0x1.f711dp-2f, 0x1.5a8f7ep-2f,
                                0x1.99c97p-3f, -0x1.015ep-2f, -0x1.acf8dp-2f, -0x1.2ce50ep-3f}));
  std::vector<float> normal = Embedding::random(1 << 12, 4, 7).weight().to_vector<float>();
  EXPECT_EQ(*std::ranges::max_element(normal), 0x1.c6e454p+0f);
  EXPECT_EQ(*std::ranges::min_element(normal), -0x1.11b6cp+1f);
  normal.resize(6);
  EXPECT_EQ(normal, (std::vector<float>{-0x1.56aaf4p-1f, 0x1.4643e6p-3f, 0x1.3049bep+0f,
                                        0x1.f9e2dp-2f, 0x1.0ca0ap-2f, -0x1.5b7e36p-2f}));
}

TEST(Layers, PartsOfDifferentLayersHaveUnrelatedNumbers) {
  std::set<std::vector<float>> seen;
  std::size_t count = 0;
  const auto add = [&](const Module& layer) {
    for (const NamedArray& each : layer.parameters()) {
      std::vector<float> first = each.value.to_vector<float>();
      first.resize(16);
      seen.insert(first);
      ++count;
    }
  };
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    add(MultiHeadAttention({.dims = 16, .num_heads = 4}, seed));
    add(SwitchGLU(16, 16, 4, seed));
    add(Linear::random(16, 16, seed, false));
  }
  EXPECT_EQ(seen.size(), count);
}

TEST(Layers, SizesBeyondMemoryAreRefused) {
  constexpr std::int64_t huge = std::int64_t{1} << 60, large = std::int64_t{1} << 25;
  EXPECT_THROW((void)Linear::random(huge, huge, 1), ArgumentError);
  EXPECT_THROW((void)Linear::random(large, large, 1), ArgumentError);
  EXPECT_THROW((void)Embedding::random(large, large, 1), ArgumentError);
  EXPECT_THROW((void)RMSNorm::ones(huge), ArgumentError);
  EXPECT_THROW((void)LayerNorm::ones(huge), ArgumentError);
  EXPECT_THROW((void)MultiHeadAttention({.dims = large, .num_heads = 1}), ArgumentError);
  EXPECT_THROW((void)MultiHeadAttention::create_additive_causal_mask(large), ArgumentError);
}

TEST(Layers, RowsOfWidthZeroHaveNoQuantizedForm) {
  const Linear none(Array::from(std::vector<float>(), Shape{4, 0}));
  EXPECT_THROW((void)none.quantized(), ArgumentError);
}

TEST(Layers, ProductsRefuseIntegers) {
  const Device device = test_devices().front();
  const Array x = Array::from(std::vector<std::int32_t>(64), Shape{1, 64});
  const Linear dense = Linear::random(64, 8, 1);
  EXPECT_THROW((void)dense.forward(x, device), ArgumentError);
  EXPECT_THROW((void)dense.quantized({}, device).forward(x, device), ArgumentError);
  const auto table = QuantizedEmbedding::random(8, 64, 1, {}, device);
  EXPECT_THROW((void)table.as_linear(x, device), ArgumentError);
  const Array index = Array::from(std::vector<std::int32_t>(1), Shape{1});
  const SwitchLinear experts = SwitchLinear::random(64, 8, 2, 1);
  EXPECT_THROW((void)experts.forward(x, index, false, device), ArgumentError);
  EXPECT_THROW((void)experts.quantized({}, device).forward(x, index, false, device), ArgumentError);
}

}  // namespace
}  // namespace clmx
