#include "clmx/nn/module.hpp"

#include <gtest/gtest.h>

#include "block.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/nn/quantize.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

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
  EXPECT_FALSE(block.proj->all_frozen());
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

TEST(Module, AWalkGoesOnBelowALayerThatItsActionHasPutThere) {
  Block block;
  std::vector<std::string> seen;
  block.walk([&](const std::string& path, Module& module) {
    seen.push_back(path);
    if (path == "proj") block.replace("proj", linear(64, 7, 3));
    if (path.empty()) static_cast<Block&>(module).embed = Slot<EmbeddingLayer>();
  });
  EXPECT_EQ(seen, (std::vector<std::string>{"", "proj", "norm"}));
  EXPECT_EQ(block.proj->out_features(), 7);
}

/// A layer that holds whatever is put into it.
class Box final : public Module {
 public:
  explicit Box(std::unique_ptr<Module> content) : layer(std::move(content)) {}
  void visit(Visitor& v) override { v.slot("layer", layer); }
  std::unique_ptr<Module> clone() const override { return std::make_unique<Box>(*this); }
  std::string describe() const override { return "Box"; }
  Slot<Module> layer;
};

TEST(Module, WhatAWalkHasPutInPlaceIsWalkedOver) {
  Box box(linear(64, 7, 3));
  std::vector<std::string> seen;
  box.walk([&](const std::string& path, Module&) {
    seen.push_back(path);
    if (path == "layer") box.replace(path, std::make_unique<Block>());
  });
  EXPECT_EQ(seen,
            (std::vector<std::string>{"", "layer", "layer.embed", "layer.proj", "layer.norm"}));
}

TEST(Module, ListsModulesChildrenAndLeaves) {
  Box box(std::make_unique<Block>());
  const auto paths = [](const std::vector<NamedModule>& modules) {
    std::vector<std::string> result;
    for (const NamedModule& each : modules) result.push_back(each.path);
    return result;
  };
  EXPECT_EQ(paths(box.modules()),
            (std::vector<std::string>{"", "layer", "layer.embed", "layer.proj", "layer.norm"}));
  EXPECT_EQ(paths(box.children()), (std::vector<std::string>{"layer"}));
  EXPECT_EQ(paths(box.leaf_modules()),
            (std::vector<std::string>{"layer.embed", "layer.proj", "layer.norm"}));
}

TEST(Module, AConstModelCanBeLookedAt) {
  const Block block;
  EXPECT_EQ(block.num_parameters(), 4U);
  EXPECT_FALSE(block.description().empty());
  int modules = 0;
  block.walk([&](const std::string&, const Module&) { ++modules; });
  EXPECT_EQ(modules, 4);
}

TEST(Module, TellsWhetherAllOrAnyIsFrozen) {
  Block block;
  EXPECT_FALSE(block.any_frozen());
  block.proj->freeze("bias");
  EXPECT_TRUE(block.any_frozen());
  EXPECT_FALSE(block.all_frozen());
  block.freeze();
  EXPECT_TRUE(block.all_frozen());
  block.embed->unfreeze();
  EXPECT_FALSE(block.all_frozen());
}

TEST(Module, StrictErrorsNameTheCall) {
  Block block;
  const auto refusal = [](auto call) -> std::string {
    try {
      call();
    } catch (const ArgumentError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_TRUE(refusal([&] { block.freeze("odd", true, true); }).starts_with("[freeze]"));
  EXPECT_TRUE(refusal([&] { block.unfreeze("odd", true, true); }).starts_with("[unfreeze]"));
}

TEST(Module, AppliesAMapToEveryParameter) {
  Block block;
  const Device device = test_devices().front();
  quantize(block, 32, 8, "affine", {}, device);
  const std::vector<std::byte> before = bytes_of(block.parameters()[3].value);
  block.apply([&](const std::string& name, const Array& value) {
    return name == "norm.weight" ? multiply(value, value, device) : value;
  });
  EXPECT_EQ(bytes_of(block.parameters()[3].value), before);
  EXPECT_THROW(block.apply([](const std::string&, const Array&) { return Array(1.0f); }),
               FormatError);
}

TEST(Module, IsCastToADType) {
  const Device device = test_devices().front();
  for (const auto mode : {QuantizationMode::affine, QuantizationMode::mxfp4}) {
    Block block;
    quantize(block, {mode}, device);
    block.set_dtype(DType::bf16, device);
    for (const NamedArray& each : block.parameters()) {
      const DType dtype = each.value.dtype();
      EXPECT_TRUE(!is_float(dtype) || dtype == DType::bf16) << each.name;
    }
    EXPECT_EQ(dynamic_cast<const QuantizedLinear&>(*block.proj).mode(), mode);
    EXPECT_THROW(block.set_dtype(DType::i32, device), ArgumentError);
  }
}

}  // namespace
}  // namespace clmx
