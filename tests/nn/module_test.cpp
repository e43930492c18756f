#include "clmx/nn/module.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "clmx/devices/error.hpp"
#include "clmx/nn/checkpoint.hpp"
#include "clmx/nn/embedding.hpp"
#include "clmx/nn/linear.hpp"
#include "clmx/nn/norm.hpp"
#include "clmx/nn/quantize.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

/// Two layers and a norm, as a model holds them.
class Block final : public Module {
 public:
  Block() : norm(Array::from(std::vector<float>(64, 1.0f), Shape{64}), 1e-5f) {}
  void visit(Visitor& v) override {
    v.slot("embed", embed);
    v.slot("proj", proj);
    v.child("norm", norm);
  }
  Slot<EmbeddingLayer> embed{Embedding::random(10, 64, 1)};
  Slot<LinearLayer> proj{Linear::random(64, 32, 2, true)};
  RMSNorm norm;
};

/// Arrays in memory.
class Tensors final : public Checkpoint {
 public:
  explicit Tensors(std::vector<NamedArray> arrays) {
    for (NamedArray& array : arrays) arrays_.emplace(array.name, array.value);
  }
  std::string where() const override { return "memory"; }
  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, value] : arrays_) names.push_back(name);
    return names;
  }
  bool has(const std::string& name) const override { return arrays_.contains(name); }
  Array array(const std::string& name) const override { return arrays_.at(name); }
  std::optional<QuantizedWeight> quantized(const std::string& path, std::int64_t) const override {
    if (!has(path + ".scales")) return {};
    return QuantizedWeight(array(path + ".weight"), array(path + ".scales"),
                           array(path + ".biases"), {});
  }
  std::map<std::string, Array> arrays_;
};

std::vector<std::string> names(const std::vector<NamedArray>& arrays) {
  std::vector<std::string> result;
  for (const NamedArray& array : arrays) result.push_back(array.name);
  return result;
}

TEST(Module, ParametersCarryTheirPaths) {
  Block block;
  EXPECT_EQ(names(block.parameters()),
            (std::vector<std::string>{"embed.weight", "proj.weight", "proj.bias", "norm.weight"}));
}

TEST(Module, FreezingReachesChildrenUnlessAskedNotTo) {
  Block block;
  block.freeze(false);
  EXPECT_EQ(block.trainable_parameters().size(), 4U);
  block.freeze();
  EXPECT_TRUE(block.trainable_parameters().empty());
  block.proj->unfreeze();
  EXPECT_EQ(names(block.trainable_parameters()),
            (std::vector<std::string>{"proj.weight", "proj.bias"}));
}

TEST(Module, QuantizedLayersStayFrozen) {
  Block block;
  quantize(block, {}, test_devices().front());
  block.unfreeze();
  EXPECT_EQ(names(block.trainable_parameters()), (std::vector<std::string>{"norm.weight"}));
}

TEST(Module, QuantizeReplacesLayersAndKeepsTheirNames) {
  Block block;
  EXPECT_EQ(quantize(block, {}, test_devices().front()), 2);
  EXPECT_EQ(names(block.parameters()),
            (std::vector<std::string>{"embed.weight", "embed.scales", "embed.biases", "proj.weight",
                                      "proj.scales", "proj.biases", "proj.bias", "norm.weight"}));
  EXPECT_EQ(quantize(block, {}, test_devices().front()), 0);
}

TEST(Module, QuantizePredicateChoosesLayersAndParameters) {
  Block block;
  const QuantizePredicate predicate = [](std::string_view path, const Module&) {
    return path == "proj" ? std::optional(QuantizationParams{.group_size = 32, .bits = 8})
                          : std::nullopt;
  };
  EXPECT_EQ(quantize(block, predicate, test_devices().front()), 1);
  const auto& proj = dynamic_cast<const QuantizedLinear&>(*block.proj);
  EXPECT_EQ(proj.weight().params().bit_count(), 8);
  EXPECT_EQ(proj.weight().packed().shape(), (Shape{32, 16}));
}

TEST(Module, QuantizeNamesTheLayerWhoseWidthDoesNotDivide) {
  Block block;
  block.proj = Slot<LinearLayer>(Linear::random(33, 4, 1));
  try {
    quantize(block, {}, test_devices().front());
    FAIL();
  } catch (const ArgumentError& error) {
    EXPECT_NE(std::string(error.what()).find("proj"), std::string::npos) << error.what();
  }
}

TEST(Module, LoadWeightsReplacesParameters) {
  Block block, other;
  other.proj = Slot<LinearLayer>(Linear::random(64, 32, 99, true));
  block.load_weights(Tensors(other.parameters()));
  EXPECT_EQ(block.parameters()[1].value.to_vector<float>(),
            other.parameters()[1].value.to_vector<float>());
}

TEST(Module, LoadWeightsReportsWhatIsMissingOrNotUsed) {
  Block block;
  Tensors tensors(block.parameters());
  tensors.arrays_.erase("norm.weight");
  tensors.arrays_.emplace("extra", Array(1.0f));
  EXPECT_THROW(block.load_weights(tensors), FormatError);
  EXPECT_THROW(block.load_weights(tensors, Strictness::ignore_unexpected), FormatError);
  const LoadReport report = block.load_weights(tensors, Strictness::lenient);
  EXPECT_EQ(report.missing, (std::vector<std::string>{"norm.weight"}));
  EXPECT_EQ(report.unexpected, (std::vector<std::string>{"extra"}));
}

TEST(Module, LoadWeightsRefusesAnotherShape) {
  Block block;
  Tensors tensors(block.parameters());
  tensors.arrays_.at("norm.weight") = Array::from(std::vector<float>(63), Shape{63});
  EXPECT_THROW(block.load_weights(tensors, Strictness::lenient), FormatError);
}

TEST(Slot, RefusesALayerOfAnotherKind) {
  Block block;
  EXPECT_THROW(block.proj.replace(Embedding::random(2, 64, 1)), ArgumentError);
  EXPECT_EQ(block.proj->out_features(), 32);
}

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
  const auto dense = Linear::random(64, 32, 5, true);
  const auto quantized = dense->to_quantized({.group_size = 32, .bits = 8}, device);
  const Array x = Array::from(std::vector<float>(128, 0.25f), Shape{2, 64});
  const auto wanted = dense->forward(x, device).to_vector<float>();
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
  EXPECT_EQ(Linear::random(8, 4, 3)->weight().to_vector<float>(),
            Linear::random(8, 4, 3)->weight().to_vector<float>());
  EXPECT_NE(Linear::random(8, 4, 3)->weight().to_vector<float>(),
            Linear::random(8, 4, 4)->weight().to_vector<float>());
  for (const float value : Linear::random(16, 16, 1)->weight().to_vector<float>()) {
    EXPECT_LE(std::abs(value), 0.25f);
  }
}

}  // namespace
}  // namespace clmx
