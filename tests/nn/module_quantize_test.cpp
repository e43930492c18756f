#include <gtest/gtest.h>

#include "block.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/nn/activations.hpp"
#include "clmx/nn/quantize.hpp"
#include "clmx/nn/sequential.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

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

TEST(Module, ALayerThatIsTheModelIsRefusedRatherThanLeft) {
  const Device device = test_devices().front();
  Linear dense = Linear::random(64, 8, 1);
  Module& model = dense;
  EXPECT_THROW(quantize(model, 64, 4, "affine", {}, device), ArgumentError);
  QuantizedLinear quantized = quantize(dense, 64, 4, "affine", device);
  EXPECT_THROW(dequantize(quantized, {}, device), ArgumentError);
  EXPECT_EQ(quantize(static_cast<Module&>(quantized), {}, device), 0);
}

TEST(Module, QuantizingPassesFrozenKeysAndTheModeOfTrainingOn) {
  const Device device = test_devices().front();
  Block block;
  block.proj->freeze("bias");
  block.training_mode(false);
  quantize(block, {}, device);
  EXPECT_FALSE(block.proj->training());
  dequantize(block, {}, device);
  EXPECT_FALSE(block.proj->training());
  EXPECT_EQ(names(block.trainable_parameters()),
            (std::vector<std::string>{"embed.weight", "proj.weight", "norm.weight"}));
}

TEST(Module, AbsentSizesAreThoseOfTheMode) {
  Block block;
  EXPECT_EQ(quantize(block, {}, {}, "mxfp4", {}, test_devices().front()), 2);
  EXPECT_EQ(dynamic_cast<const QuantizedLinear&>(*block.proj).group_size(), 32);
}

TEST(Quantize, TakesLayersInTheSpellingOfMlx) {
  const Device device = test_devices().front();
  Linear dense = Linear::random(64, 8, 1);
  const QuantizedLinear eight = quantize(dense, 64, 8, "affine", device);
  EXPECT_EQ(eight.bits(), 8);
  const QuantizedLinear mxfp4 = quantize(dense, {}, {}, "mxfp4", device);
  EXPECT_EQ(mxfp4.group_size(), 32);
  std::vector<Linear> layers{dense, dense};
  EXPECT_EQ(quantize(layers, 32, 4, "affine", device).back().group_size(), 32);
  const std::optional<Embedding> table = Embedding::random(4, 64, 1);
  EXPECT_EQ(quantize(table, 32, 2, "affine", device)->bits(), 2);
  EXPECT_EQ(quantize(std::make_unique<Linear>(dense), 32, 4, "affine", device)->group_size(), 32);
}

TEST(Quantize, TakesPointersToABase) {
  const Device device = test_devices().front();
  std::vector<std::unique_ptr<LinearLayer>> layers;
  layers.push_back(linear(64, 8, 1));
  layers.push_back(nullptr);
  const auto quantized = quantize(layers, {}, device);
  EXPECT_TRUE(dynamic_cast<const QuantizedLinear*>(quantized.front().get()));
  EXPECT_FALSE(quantized.back());
  EXPECT_TRUE(dynamic_cast<const Linear*>(layers.front().get()));  // stays as it was
  const std::unique_ptr<LinearLayer> again = quantize(quantized.front(), 64, 8, "affine", device);
  EXPECT_EQ(dynamic_cast<const QuantizedLinear&>(*again).bits(), 4);
  const std::unique_ptr<Module> model = std::make_unique<Block>();
  EXPECT_EQ(quantize(model, {}, device)->num_parameters(), 8U);
  const std::unique_ptr<Module> norm = std::make_unique<RMSNorm>(RMSNorm::ones(8));
  EXPECT_THROW(quantize(norm, {}, device), ArgumentError);
}

}  // namespace
}  // namespace clmx
