#include <gtest/gtest.h>

#include <map>

#include "block.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/checkpoint.hpp"
#include "clmx/nn/quantize.hpp"
#include "support/temp_folder.hpp"
#include "support/test_devices.hpp"

namespace clmx {
namespace {

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

/// Has scales of its own and a child that is called inner.
class Scaled final : public Module {
 public:
  void visit(Visitor& v) override {
    v.parameter("scales", scales);
    v.slot("inner", inner);
  }
  std::unique_ptr<Module> clone() const override { return std::make_unique<Scaled>(*this); }
  std::string describe() const override { return "Scaled"; }
  Array scales = Array::from(std::vector<float>(2), Shape{2});
  Slot<LinearLayer> inner{linear(64, 8, 4)};
};

TEST(Module, AChildCalledInnerLoadsItsOwnFile) {
  const TempFolder folder;
  Scaled scaled, other;
  other.inner = Slot<LinearLayer>(linear(64, 8, 5));
  other.save_weights(folder / "weights.safetensors");
  EXPECT_TRUE(scaled.load_weights(folder / "weights.safetensors").unexpected.empty());
  EXPECT_EQ(bytes_of(scaled.parameters()[1].value), bytes_of(other.parameters()[1].value));
  EXPECT_TRUE(scaled.load_weights(other.parameters()).unexpected.empty());
}

TEST(Module, EveryPartOfAMissingQuantizedWeightIsReported) {
  Block block;
  quantize(block, {}, test_devices().front());
  std::vector<NamedArray> tensors = block.parameters();
  std::erase_if(tensors, [](const NamedArray& each) { return each.name.starts_with("embed."); });
  EXPECT_EQ(block.load_weights(tensors, Strictness::lenient).missing,
            (std::vector<std::string>{"embed.weight", "embed.scales", "embed.biases"}));
}

TEST(Module, PartsOfAQuantizedWeightComeTogether) {
  Block block;
  quantize(block, {}, test_devices().front());
  const std::vector<NamedArray> all = block.parameters();
  EXPECT_THROW(block.load_weights({all[1]}, Strictness::lenient), FormatError);  // scales alone
  try {
    block.load_weights({all[0]}, Strictness::lenient);
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_NE(std::string(error.what()).find("u32 [10, 8] without scales"), std::string::npos)
        << error.what();
  }
}

TEST(Module, AnAbsentGlobalScaleIsMissed) {
  const Device device = test_devices().front();
  const Array w = Linear::random(64, 8, 1).weight();
  const QuantizationParams nvfp4{QuantizationMode::nvfp4};
  const QuantizedWeight scaled = quantize(w, QuantizeOptions{nvfp4}, Array(0.5f), device);
  QuantizedLinear layer(scaled);
  QuantizedLinear plain(quantize(w, nvfp4, device));
  EXPECT_THROW(layer.load_weights(plain.parameters()), FormatError);
  EXPECT_EQ(layer.load_weights(plain.parameters(), Strictness::lenient).missing,
            (std::vector<std::string>{"global_scale"}));
}

}  // namespace
}  // namespace clmx
