#include "clmx/nn/module.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/activations.hpp"
#include "clmx/nn/checkpoint.hpp"
#include "clmx/nn/embedding.hpp"
#include "clmx/nn/linear.hpp"
#include "clmx/nn/norm.hpp"
#include "clmx/nn/quantize.hpp"
#include "clmx/nn/sequential.hpp"
#include "support/temp_folder.hpp"
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
  std::unique_ptr<Module> clone() const override { return std::make_unique<Block>(*this); }
  std::string describe() const override { return "Block"; }
  Slot<EmbeddingLayer> embed{std::make_unique<Embedding>(Embedding::random(10, 64, 1))};
  Slot<LinearLayer> proj{std::make_unique<Linear>(Linear::random(64, 32, 2))};
  RMSNorm norm;
};

std::unique_ptr<Linear> linear(std::int64_t in, std::int64_t out, std::uint64_t seed) {
  return std::make_unique<Linear>(Linear::random(in, out, seed));
}

std::vector<std::byte> bytes_of(const Array& array) {
  std::vector<std::byte> bytes(array.bytes());
  array.read(bytes);
  return bytes;
}

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

TEST(Module, AKeyCanBeGivenAsItIsSpelled) {
  Block block;
  block.freeze("bias");
  EXPECT_EQ(names(block.trainable_parameters()),
            (std::vector<std::string>{"embed.weight", "proj.weight", "norm.weight"}));
  block.unfreeze(std::string("bias"));
  EXPECT_EQ(block.trainable_parameters().size(), 4U);
  block.freeze({"weight", "bias"});
  EXPECT_TRUE(block.trainable_parameters().empty());
  block.unfreeze({"bias"});
  EXPECT_EQ(names(block.trainable_parameters()), (std::vector<std::string>{"proj.bias"}));
  EXPECT_THROW(block.freeze({"bias"}, true, true), ArgumentError);  // the norm has none
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
  const QuantizePredicate predicate = [](std::string_view path, const Module&) -> QuantizeChoice {
    if (path == "proj") return QuantizationParams{.group_size = 32, .bits = 8};
    return path == "embed";
  };
  EXPECT_EQ(quantize(block, {.group_size = 32, .bits = 2}, predicate, test_devices().front()), 2);
  const auto& proj = dynamic_cast<const QuantizedLinear&>(*block.proj);
  EXPECT_EQ(proj.bits(), 8);
  EXPECT_EQ(proj.weight().packed().shape(), (Shape{32, 16}));
  EXPECT_EQ(dynamic_cast<const QuantizedEmbedding&>(*block.embed).bits(), 2);
}

TEST(Module, AChoiceInheritsNothingFromTheCall) {
  Block block;
  const QuantizePredicate predicate = [](std::string_view path, const Module&) -> QuantizeChoice {
    if (path == "proj") return QuantizationParams{.bits = 8};
    return false;
  };
  EXPECT_EQ(quantize(block, 32, 4, "mxfp4", predicate, test_devices().front()), 1);
  const auto& proj = dynamic_cast<const QuantizedLinear&>(*block.proj);
  EXPECT_EQ(proj.mode(), QuantizationMode::affine);
  EXPECT_EQ(proj.group_size(), 64);
}

TEST(Module, QuantizeRefusesAChosenLayerWithoutAQuantizedForm) {
  Block block;
  const QuantizePredicate all = [](std::string_view, const Module&) { return true; };
  try {
    quantize(block, {}, all, test_devices().front());
    FAIL();
  } catch (const ArgumentError& error) {
    EXPECT_NE(std::string(error.what()).find("layer norm: "), std::string::npos) << error.what();
  }
  EXPECT_EQ(names(block.parameters()).size(), 4U);  // nothing was changed
}

TEST(Module, QuantizeNamesTheLayerWhoseWidthDoesNotDivide) {
  Block block;
  block.proj = Slot<LinearLayer>(linear(33, 4, 1));
  try {
    quantize(block, {}, test_devices().front());
    FAIL();
  } catch (const ArgumentError& error) {
    EXPECT_NE(std::string(error.what()).find("layer proj: "), std::string::npos) << error.what();
  }
  EXPECT_TRUE(dynamic_cast<const Embedding*>(&*block.embed));  // though it came before
}

TEST(Module, LoadWeightsReplacesParameters) {
  Block block, other;
  other.proj = Slot<LinearLayer>(linear(64, 32, 99));
  block.load_weights(other.parameters());
  EXPECT_EQ(block.parameters()[1].value.to_vector<float>(),
            other.parameters()[1].value.to_vector<float>());
}

TEST(Module, LoadWeightsReportsWhatIsMissingOrNotUsed) {
  Block block;
  std::vector<NamedArray> tensors = block.parameters();
  tensors.pop_back();
  tensors.push_back({"extra", Array(1.0f)});
  EXPECT_THROW(block.load_weights(tensors), FormatError);
  EXPECT_THROW(block.load_weights(tensors, Strictness::ignore_unexpected), FormatError);
  const LoadReport report = block.load_weights(tensors, Strictness::lenient);
  EXPECT_EQ(report.missing, (std::vector<std::string>{"norm.weight"}));
  EXPECT_EQ(report.unexpected, (std::vector<std::string>{"extra"}));
}

TEST(Module, LoadWeightsRefusesAnotherShape) {
  Block block;
  std::vector<NamedArray> tensors = block.parameters();
  tensors.back().value = Array::from(std::vector<float>(63), Shape{63});
  EXPECT_THROW(block.load_weights(tensors, Strictness::lenient), FormatError);
}

TEST(Module, LoadWeightsTakesAnyFloatsForFloatsAndNothingElse) {
  Block block;
  block.load_weights({{"norm.weight", Array::from(std::vector<float>(64), Shape{64})}},
                     Strictness::lenient);
  EXPECT_EQ(block.norm.weight().to_vector<float>(), std::vector<float>(64));
  const Array half = cast(block.norm.weight(), DType::f16);
  block.load_weights({{"norm.weight", half}}, Strictness::lenient);
  EXPECT_EQ(block.norm.weight().dtype(), DType::f16);
  const Array integers = Array::from(std::vector<std::int32_t>(64), Shape{64});
  EXPECT_THROW(block.load_weights({{"norm.weight", integers}}, Strictness::lenient), FormatError);
}

TEST(Module, LoadWeightsTakesTheTensorsOfQuantizedLayers) {
  Block block, other;
  other.proj = Slot<LinearLayer>(linear(64, 32, 99));
  const Device device = test_devices().front();
  for (const auto mode : {QuantizationMode::affine, QuantizationMode::mxfp4}) {
    Block from = other, to = block;
    quantize(from, {mode}, device);
    quantize(to, {mode}, device);
    std::vector<NamedArray> parts = from.parameters();
    for (NamedArray& part : parts)  // as mlx-rs writes it
      if (part.name == "proj.bias") part.name = "proj.inner.bias";
    EXPECT_TRUE(to.load_weights(parts).unexpected.empty());
    const auto loaded = to.parameters();
    for (std::size_t i = 0; i < loaded.size(); ++i)
      EXPECT_EQ(bytes_of(loaded[i].value), bytes_of(from.parameters()[i].value)) << mode;
  }
}

// The first lines of docs/layers.md.
TEST(Module, APredicateGivesLayersOfASequentialTheirParameters) {
  const Device device = test_devices().front();
  Sequential model(Linear::random(128, 256, /*seed=*/1), GELU(),
                   Linear::random(256, 10, /*seed=*/2));
  Sequential mixed = model;
  EXPECT_EQ(quantize(model, 64, 4, "affine", {}, device), 2);
  const int count = quantize(
      mixed, 64, 4, "affine",
      [](std::string_view path, const Module& layer) -> QuantizeChoice {
        if (path == "layers.0") return QuantizationParams{QuantizationMode::mxfp4};
        return dynamic_cast<const Linear*>(&layer) != nullptr;
      },
      device);
  EXPECT_EQ(count, 2);
  EXPECT_EQ(dynamic_cast<const QuantizedLinear&>(mixed[0]).mode(), QuantizationMode::mxfp4);
  EXPECT_EQ(dynamic_cast<const QuantizedLinear&>(mixed[2]).bits(), 4);
}

TEST(Module, LoadWeightsRefusesTwoArraysOfOneName) {
  Block block;
  std::vector<NamedArray> tensors = block.parameters();
  tensors.push_back(tensors.back());
  EXPECT_THROW(block.load_weights(tensors), FormatError);
}

TEST(Module, ALoadThatFailsChangesNothing) {
  Block block, other;
  other.proj = Slot<LinearLayer>(linear(64, 32, 99));
  std::vector<NamedArray> tensors = other.parameters();
  tensors.back().value = Array::from(std::vector<float>(63), Shape{63});
  const std::vector<float> before = block.parameters()[1].value.to_vector<float>();
  EXPECT_THROW(block.load_weights(tensors, Strictness::lenient), FormatError);
  EXPECT_EQ(block.parameters()[1].value.to_vector<float>(), before);
}

TEST(Module, FreezingByKeyReachesEveryLayerThatHasIt) {
  Block block;
  const std::vector<std::string> bias{"bias"}, odd{"bias", "scale"};
  block.freeze();
  block.unfreeze(bias);
  EXPECT_EQ(names(block.trainable_parameters()), (std::vector<std::string>{"proj.bias"}));
  block.unfreeze();
  block.freeze(bias);
  EXPECT_EQ(names(block.trainable_parameters()),
            (std::vector<std::string>{"embed.weight", "proj.weight", "norm.weight"}));
  EXPECT_TRUE(block.proj->frozen("bias"));
  EXPECT_FALSE(block.proj->frozen());
  EXPECT_THROW(block.freeze(odd, true, true), ArgumentError);
  EXPECT_EQ(block.trainable_parameters().size(), 3U);
}

TEST(Module, TrainingModeReachesAllModules) {
  Block block;
  EXPECT_TRUE(block.proj->training());
  block.training_mode(false);
  EXPECT_FALSE(block.training());
  EXPECT_FALSE(block.proj->training());
}

TEST(Module, AClonesLayersAreItsOwn) {
  Block block;
  const std::vector<std::string> bias{"bias"};
  block.freeze(bias);
  const std::unique_ptr<Module> copy = block.clone();
  EXPECT_EQ(names(copy->trainable_parameters()), names(block.trainable_parameters()));
  EXPECT_EQ(quantize(*copy, {}, test_devices().front()), 2);
  EXPECT_EQ(names(block.parameters()).size(), 4U);
  EXPECT_EQ(names(copy->parameters()).size(), 8U);
}

TEST(Module, WalksFindsAndReplacesByPath) {
  Block block;
  std::vector<std::string> paths;
  block.walk([&](const std::string& path, Module&) { paths.push_back(path); });
  EXPECT_EQ(paths, (std::vector<std::string>{"", "embed", "proj", "norm"}));
  EXPECT_EQ(block.find("proj"), &*block.proj);
  EXPECT_EQ(block.find("pro"), nullptr);
  block.replace("proj", linear(64, 7, 3));
  EXPECT_EQ(block.proj->out_features(), 7);
  EXPECT_THROW(block.replace("proj", std::make_unique<Block>()), ArgumentError);
  EXPECT_THROW(block.replace("norm", linear(1, 1, 1)), ArgumentError);  // a child, not a slot
  EXPECT_THROW(block.replace("none", linear(1, 1, 1)), ArgumentError);
  EXPECT_THROW(block.replace("proj", nullptr), ArgumentError);
}

TEST(Module, DescribesItselfLineByLine) {
  Block block;
  EXPECT_EQ(block.description(),
            "Block\n"
            "  embed: Embedding(embedding_count=10, dimensions=64)\n"
            "  proj: Linear(input_dims=64, output_dims=32, bias=true)\n"
            "  norm: RMSNorm(dims=64, eps=1e-05)\n");
}

TEST(Module, SavedWeightsLoadAgain) {
  const TempFolder folder;
  const Device device = test_devices().front();
  for (const auto mode : {QuantizationMode::affine, QuantizationMode::mxfp4}) {
    Block block, other;
    other.proj = Slot<LinearLayer>(linear(64, 32, 99));
    quantize(block, {mode}, device);
    quantize(other, {mode}, device);
    other.save_weights(folder / "weights.safetensors");
    block.load_weights(folder / "weights.safetensors");
    const auto got = block.parameters(), wanted = other.parameters();
    ASSERT_EQ(names(got), names(wanted));
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(bytes_of(got[i].value), bytes_of(wanted[i].value)) << got[i].name;
    }
  }
}

TEST(Module, LoadsTheNamesOfMlxRs) {
  const TempFolder folder;
  const Device device = test_devices().front();
  Block block, other;
  other.proj = Slot<LinearLayer>(linear(64, 32, 99));
  quantize(block, {}, device);
  quantize(other, {}, device);
  std::map<std::string, Array> renamed;
  for (const NamedArray& parameter : other.parameters()) {
    std::string name = parameter.name;
    for (const std::string layer : {"embed.", "proj."}) {
      for (const char* part : {"weight", "bias"}) {
        if (name == layer + part) name = layer + "inner." + part;
      }
    }
    renamed.emplace(name, parameter.value);
  }
  ASSERT_TRUE(renamed.contains("proj.inner.bias"));
  save_safetensors(folder / "weights.safetensors", renamed);
  block.load_weights(folder / "weights.safetensors");
  EXPECT_EQ(bytes_of(block.parameters()[3].value), bytes_of(other.parameters()[3].value));
}

TEST(Module, MovesToADevice) {
  Block block;
  quantize(block, {}, test_devices().front());
  for (const Device& device : test_devices()) EXPECT_NO_THROW(block.to(device));
}

TEST(Slot, RefusesALayerOfAnotherKind) {
  Block block;
  EXPECT_THROW(block.proj.replace(std::make_unique<Embedding>(Embedding::random(2, 64, 1))),
               ArgumentError);
  EXPECT_EQ(block.proj->out_features(), 32);
}

}  // namespace
}  // namespace clmx
