#include "clmx/nn/config.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "clmx/devices/error.hpp"
#include "llama_frequencies.hpp"

namespace clmx {
namespace {

/// config.json of a small llama with one part replaced or added.
std::string config_with(const std::string& extra) {
  return R"({"model_type": "llama", "hidden_size": 128, "intermediate_size": 256,
             "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 320,
             "max_position_embeddings": 512, "rms_norm_eps": 1e-5)" +
         extra + "}";
}

LlamaConfig model(const std::string& extra, const std::string& generation = "") {
  return parse_config(config_with(extra), generation, "config.json").model;
}

TEST(Config, AbsentValuesFollowFromOthers) {
  const LlamaConfig config = model("");
  EXPECT_EQ(config.kv_heads, 4);
  EXPECT_EQ(config.head_dim, 32);
  EXPECT_EQ(config.rope.dims, 32);
  EXPECT_EQ(config.rope.base, 10000.0);
  EXPECT_TRUE(config.tied_head);
  EXPECT_FALSE(config.rope.traditional);
  EXPECT_TRUE(config.eos.empty());
}

TEST(Config, GivenValuesAreRead) {
  const LlamaConfig config = model(R"(, "num_key_value_heads": 2, "head_dim": 64, "rope_theta": 5e5,
               "rope_traditional": true, "tie_word_embeddings": false, "eos_token_id": 2)");
  EXPECT_EQ(config.kv_heads, 2);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.rope.base, 5e5);
  EXPECT_TRUE(config.rope.traditional);
  EXPECT_FALSE(config.tied_head);
  EXPECT_EQ(config.eos, (std::vector<std::int32_t>{2}));
}

TEST(Config, EosOfTheGenerationConfigGoesFirst) {
  const LlamaConfig config = model(R"(, "eos_token_id": 2)", R"({"eos_token_id": [7, 8]})");
  EXPECT_EQ(config.eos, (std::vector<std::int32_t>{7, 8}));
  EXPECT_EQ(model(R"(, "eos_token_id": 2)", "{}").eos, (std::vector<std::int32_t>{2}));
}

TEST(Config, LinearScalingStretchesPositions) {
  EXPECT_EQ(model(R"(, "rope_scaling": {"type": "linear", "factor": 4})").rope.scale, 0.25);
  EXPECT_EQ(model(R"(, "rope_scaling": null)").rope.scale, 1.0);
  EXPECT_EQ(model(R"(, "rope_scaling": {"rope_type": "default"})").rope.scale, 1.0);
}

TEST(Config, Llama3ScalingKeepsShortWavesAndStretchesLongOnes) {
  const Llama3Scaling scaling{.factor = 8, .original_context = 64};
  const auto plain = rope_periods(500000.0, 64);
  const auto scaled = llama3_periods(500000.0, 64, scaling);
  ASSERT_EQ(scaled.size(), 32U);
  for (std::size_t i = 0; i < scaled.size(); ++i) {
    const double wavelength = 2 * std::numbers::pi * plain[i];
    if (wavelength < 16) {
      EXPECT_EQ(scaled[i], plain[i]);
    } else if (wavelength > 64) {
      EXPECT_EQ(scaled[i], plain[i] * 8);
    } else {
      EXPECT_GT(scaled[i], plain[i]);
      EXPECT_LT(scaled[i], plain[i] * 8);
    }
  }
  const LlamaConfig config = model(
      R"(, "rope_scaling": {"rope_type": "llama3", "factor": 8.0,
           "original_max_position_embeddings": 64}, "rope_theta": 500000, "head_dim": 64)");
  EXPECT_FALSE(config.rope.base);
  EXPECT_EQ(config.rope.periods, scaled);
}

struct Malformed {
  std::string name, extra;
};
class MalformedConfig : public testing::TestWithParam<Malformed> {};
TEST_P(MalformedConfig, IsAFormatError) {
  EXPECT_THROW(model(GetParam().extra), FormatError);
}
INSTANTIATE_TEST_SUITE_P(
    Config, MalformedConfig,
    testing::Values(Malformed{"OtherFamily", R"(, "model_type": "gpt_oss")"},
                    Malformed{"NegativeSize", R"(, "hidden_size": -1)"},
                    Malformed{"HugeSize", R"(, "vocab_size": 9999999999)"},
                    Malformed{"TextSize", R"(, "vocab_size": "320")"},
                    Malformed{"FractionalSize", R"(, "vocab_size": 320.5)"},
                    Malformed{"HeadsThatDoNotDivide", R"(, "num_key_value_heads": 3)"},
                    Malformed{"OddHeads", R"(, "head_dim": 33)"},
                    Malformed{"TooManyLayers", R"(, "num_hidden_layers": 100000)"},
                    Malformed{"OtherActivation", R"(, "hidden_act": "gelu")"},
                    Malformed{"UnknownScaling", R"(, "rope_scaling": {"type": "yarn"})"},
                    Malformed{"ZeroFactor", R"(, "rope_scaling": {"type": "linear", "factor": 0})"},
                    Malformed{"ZeroEps", R"(, "rms_norm_eps": 0)"},
                    Malformed{"BadEos", R"(, "eos_token_id": "end")"},
                    Malformed{"BadMode", R"(, "quantization": {"group_size": 64, "bits": 4,
                                                               "mode": "magic"})"},
                    Malformed{"OtherMethod",
                              R"(, "quantization_config": {"quant_method": "gptq"})"}),
    [](const auto& test) { return test.param.name; });

TEST(Config, BrokenJsonIsAFormatErrorWithItsPlace) {
  for (const char* text : {"", "{", "[]", "{\"hidden_size\": }", "\xff"}) {
    EXPECT_THROW(parse_config(text, "", "config.json"), FormatError) << text;
  }
}

using Stored = QuantizationConfig::Stored;

QuantizationConfig quantization(const std::string& map) {
  return parse_config(config_with(", \"quantization\": " + map), "", "config.json").quantization;
}

TEST(QuantizationConfig, PathsWithoutScalesAreDense) {
  const auto config = quantization(R"({"group_size": 64, "bits": 4})");
  EXPECT_FALSE(config.at("a", Stored{}, 128));
}

TEST(QuantizationConfig, UnnamedPathsAreInferredFromShapes) {
  const auto config = quantization(R"({"group_size": 64, "bits": 4})");
  const auto params = config.at("a", Stored{true, false, 32, 4}, 128);
  ASSERT_TRUE(params);
  EXPECT_EQ(params->mode, QuantizationMode::affine);
  EXPECT_EQ(params->group(), 32);
  EXPECT_EQ(params->bit_count(), 8);
  EXPECT_EQ(config.at("a", Stored{true, true, 16, 4}, 128)->mode, QuantizationMode::mxfp4);
  EXPECT_EQ(config.at("a", Stored{true, true, 16, 8}, 128)->mode, QuantizationMode::nvfp4);
  EXPECT_EQ(config.at("a", Stored{true, true, 32, 4}, 128)->mode, QuantizationMode::mxfp8);
  EXPECT_THROW(config.at("a", Stored{true, true, 32, 2}, 128), ArgumentError);
  EXPECT_THROW(config.at("a", Stored{true, false, 16, 3}, 128), ArgumentError);
}

TEST(QuantizationConfig, NamedPathsTakeTheirOwnModesDefaults) {
  const auto config =
      quantization(R"({"group_size": 32, "bits": 8, "a": {"bits": 4}, "b": {"mode": "mxfp4"},
                       "c": false})");
  EXPECT_EQ(config.at("a", Stored{true, false, 16, 2}, 128)->group(), 64);
  EXPECT_EQ(config.at("b", Stored{true, true, 16, 4}, 128)->mode, QuantizationMode::mxfp4);
  EXPECT_FALSE(config.at("c", Stored{true, false, 16, 2}, 128));
}

TEST(QuantizationConfig, DeclarationsThatContradictTheTensorsAreRefused) {
  const auto config = quantization(R"({"group_size": 64, "bits": 4, "a": {"bits": 8}})");
  EXPECT_THROW(config.at("a", Stored{true, false, 16, 2}, 128), ArgumentError);
  EXPECT_THROW(config.at("a", Stored{true, true, 32, 2}, 128), ArgumentError);
  EXPECT_THROW(config.at("a", Stored{}, 128), ArgumentError);
}

}  // namespace
}  // namespace clmx
