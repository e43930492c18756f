#include "clmx/nn/quantize_checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/model_file.hpp"
#include "support/temp_folder.hpp"
#include "support/test_devices.hpp"
#include "tiny_models.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::byte> bytes_of(const Array& array) {
  const HostBytes mapped = array.map_bytes();
  return {mapped.bytes.begin(), mapped.bytes.end()};
}

json config_of(const fs::path& folder) {
  return json::parse(content_of(folder / "config.json"));
}

/// A small checkpoint made for a test.
class QuantizeCheckpoint : public testing::Test {
 protected:
  QuantizeCheckpoint() { fs::create_directory(source()); }
  fs::path source() const { return folder_ / "source"; }
  fs::path target() const { return folder_ / "target"; }
  void write(const std::map<std::string, Array>& tensors, const json& config = json::object()) {
    save_safetensors(source() / "model.safetensors", tensors);
    folder_.write("source/config.json", config.dump());
  }
  static Array ramp(const Shape& shape) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      values.push_back(static_cast<float>(i * 37 % 101) / 50.0F - 1.0F);
    }
    return Array::from(values, shape);
  }
  QuantizedCheckpoint quantize(const QuantizeCheckpointOptions& options = {}) const {
    return quantize_checkpoint(source(), target(), options,
                               test_devices().front().default_stream());
  }
  std::string refusal(const QuantizeCheckpointOptions& options = {}) const {
    try {
      quantize(options);
    } catch (const Error& error) {
      EXPECT_FALSE(fs::exists(target()));
      return error.what();
    }
    return "no error";
  }
  TempFolder folder_;
};

TEST_F(QuantizeCheckpoint, GivesTheBitsOfQuantizeOnEveryDevice) {
  const fs::path model = tiny_folder("llama_unquantized_f16_tied");
  const SafetensorsFile before(model / "model.safetensors");
  for (const Device& device : test_devices()) {
    const QuantizeCheckpointOptions options{.params = {QuantizationMode::affine, 32, 5},
                                            .replace = true};
    quantize_checkpoint(model, target(), options, device.default_stream());
    const SafetensorsFile after(target() / "model.safetensors");
    const std::string path = "model.layers.1.mlp.down_proj";
    const QuantizedArrays parts =
        quantize_arrays(before.array(path + ".weight"), options.params, device.default_stream());
    EXPECT_EQ(bytes_of(after.array(path + ".weight")), bytes_of(parts.packed));
    EXPECT_EQ(bytes_of(after.array(path + ".scales")), bytes_of(parts.scales));
    EXPECT_EQ(bytes_of(after.array(path + ".biases")), bytes_of(*parts.biases));
    EXPECT_EQ(bytes_of(after.array("model.norm.weight")),
              bytes_of(before.array("model.norm.weight")));
    EXPECT_NO_THROW(load_model(target()));
  }
}

TEST_F(QuantizeCheckpoint, PicksLinearEmbeddingAndExpertWeightsOnly) {
  write({{"a.weight", ramp({4, 64})},
         {"a.bias", ramp({4})},
         {"norm.weight", ramp({64})},
         {"narrow.weight", ramp({4, 48})},
         {"conv.weight", ramp({4, 3, 64})},
         {"mlp.experts.up.weight", ramp({3, 4, 64})},
         {"mlp.gate.weight", ramp({4, 64})},
         {"a.rotary_emb.inv_freq", ramp({8})},
         {"table", ramp({4, 64})}},
        {{"hidden", 64}});
  const QuantizedCheckpoint result = quantize();
  ASSERT_EQ(result.quantized.size(), 2U);
  EXPECT_EQ(result.quantized[0].path, "a");
  EXPECT_EQ(result.quantized[1].path, "mlp.experts.up");
  EXPECT_THAT(result.not_divisible, ElementsAre("narrow"));
  EXPECT_THAT(result.kept, ElementsAre("mlp.gate"));
  const SafetensorsFile file(target() / "model.safetensors");
  EXPECT_EQ(file.at("mlp.experts.up.weight").shape, (std::vector<std::int64_t>{3, 4, 8}));
  EXPECT_EQ(file.at("mlp.experts.up.scales").shape, (std::vector<std::int64_t>{3, 4, 1}));
  EXPECT_EQ(file.at("conv.weight").type, "F32");
  EXPECT_FALSE(file.tensors().contains("a.rotary_emb.inv_freq"));
  const json config = config_of(target());
  EXPECT_EQ(config.at("hidden"), 64);
  EXPECT_EQ(config.at("quantization"), json({{"bits", 4}, {"group_size", 64}, {"mode", "affine"}}));
  EXPECT_EQ(config.at("quantization_config"), config.at("quantization"));
}

TEST_F(QuantizeCheckpoint, FollowsThePlanAndRecordsIt) {
  write({{"l.0.q.weight", ramp({4, 64})},
         {"l.1.q.weight", ramp({4, 64})},
         {"l.1.o.weight", ramp({4, 64})},
         {"head.weight", ramp({4, 64})}});
  QuantizeCheckpointOptions options;
  options.plan = parse_quantization_plan(
      R"({"l.1.o": "keep", "l.1.*": {"mode": "mxfp8"}, "l.*": {"bits": 2}})", "plan");
  const QuantizedCheckpoint result = quantize(options);
  EXPECT_THAT(result.kept, ElementsAre("l.1.o"));
  const json quantization = config_of(target()).at("quantization");
  EXPECT_EQ(quantization.at("l.0.q"), json({{"bits", 2}, {"group_size", 64}, {"mode", "affine"}}));
  EXPECT_EQ(quantization.at("l.1.q"), json({{"bits", 8}, {"group_size", 32}, {"mode", "mxfp8"}}));
  EXPECT_EQ(quantization.at("l.1.o"), false);
  EXPECT_FALSE(quantization.contains("head"));
}

TEST_F(QuantizeCheckpoint, KeepsLayersThatAreQuantizedAlready) {
  const fs::path model = tiny_folder("llama_affine4_g64_bf16");
  const SafetensorsFile before(model / "model.safetensors");
  std::map<std::string, Array> tensors;
  for (const auto& [name, unused] : before.tensors()) tensors.emplace(name, before.array(name));
  tensors.emplace("extra.weight", ramp({4, 64}));
  write(tensors, config_of(model));
  const QuantizedCheckpoint result = quantize({.params = {QuantizationMode::affine, 32, 8}});
  ASSERT_EQ(result.quantized.size(), 1U);
  EXPECT_FALSE(result.already.empty());
  json wanted = config_of(model).at("quantization");
  wanted["extra"] = {{"bits", 8}, {"group_size", 32}, {"mode", "affine"}};
  EXPECT_EQ(config_of(target()).at("quantization"), wanted);
  const SafetensorsFile after(target() / "model.safetensors");
  for (const auto& [name, entry] : before.tensors()) {
    EXPECT_EQ(bytes_of(after.array(name)), bytes_of(before.array(name))) << name;
  }
}

TEST_F(QuantizeCheckpoint, WritesShardsAndAnIndexAndReadsThem) {
  const fs::path model = tiny_folder("llama_unquantized_f16_tied");
  const auto result = quantize_checkpoint(model, source() / "sharded", {.shard_bytes = 40000},
                                          test_devices().front().default_stream());
  const json index = json::parse(content_of(source() / "sharded/model.safetensors.index.json"));
  EXPECT_EQ(index.at("metadata").at("total_size"), result.bytes);
  EXPECT_EQ(index.at("weight_map").size(), result.tensors);
  EXPECT_THAT(result.files, testing::Contains(testing::StartsWith("model-00002-of-")));
  EXPECT_NO_THROW(load_model(source() / "sharded"));
}

TEST_F(QuantizeCheckpoint, CopiesTokenizerAndLicenceButNoOtherWeights) {
  write({{"a.weight", ramp({4, 64})}});
  for (const char* name : {"tokenizer.json", "LICENSE", "chat_template.jinja", ".hidden.json",
                           "pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    folder_.write("source/" + std::string(name), name);
  }
  fs::create_directory(source() / "additional_chat_templates");
  folder_.write("source/additional_chat_templates/rag.jinja", "rag");
  fs::create_directory(source() / "onnx");
  folder_.write("source/onnx/config.json", "{}");
  EXPECT_THAT(
      quantize().files,
      ElementsAre("LICENSE", "additional_chat_templates", "chat_template.jinja", "config.json",
                  "model.safetensors", "model.safetensors.index.json", "tokenizer.json"));
  EXPECT_EQ(content_of(target() / "additional_chat_templates/rag.jinja"), "rag");
  EXPECT_NO_THROW(quantize({.replace = true}));
  EXPECT_EQ(content_of(target() / "tokenizer.json"), "tokenizer.json");
}

TEST_F(QuantizeCheckpoint, SaysWhatIsWrongAndChangesNothing) {
  EXPECT_THAT(refusal(), HasSubstr("config.json"));
  write({{"a.weight", ramp({4, 48})}, {"b.weight", ramp({4, 64})}});
  QuantizeCheckpointOptions options;
  options.plan = parse_quantization_plan(R"({"a": {"bits": 8}})", "plan");
  EXPECT_THAT(refusal(options), HasSubstr("layer a: its width 48"));
  options.plan = parse_quantization_plan(R"({"c.*": "keep"})", "plan");
  EXPECT_THAT(refusal(options), HasSubstr("'c.*'"));
  options.plan = parse_quantization_plan(R"({"*": "keep"})", "plan");
  EXPECT_THAT(refusal(options), HasSubstr("keeps every layer"));
  write({{"b.weight", ramp({4, 64})}, {"b.biases", ramp({4, 1})}});
  EXPECT_THAT(refusal(), HasSubstr("layer b"));
  write({{"bits.weight", ramp({4, 64})}});
  EXPECT_THAT(refusal(), HasSubstr("layer bits"));
  write({{"b.weight", ramp({4, 64})}}, {{"quantization_config", {{"quant_method", "gptq"}}}});
  EXPECT_THAT(refusal(), HasSubstr("gptq"));
  write({{"b.weight", ramp({4, 64})}}, {{"quantization_config", {{"quant_method", "mxfp4"}}}});
  EXPECT_THAT(refusal(), HasSubstr("quantization_config"));
  folder_.write("source/config.json", "[]");
  EXPECT_THAT(refusal(), HasSubstr("not a JSON object"));
}

TEST_F(QuantizeCheckpoint, ReadsIndexesAndNamesOfShardsThatTellTheTruth) {
  write({{"a.weight", ramp({4, 64})}});
  const auto with_index = [&](const std::string& weight_map) {
    folder_.write("source/model.safetensors.index.json", "{\"weight_map\": " + weight_map + "}");
    return refusal();
  };
  EXPECT_THAT(with_index(R"({"b.weight": "model.safetensors"})"), HasSubstr("b.weight"));
  EXPECT_THAT(with_index(R"("model.safetensors")"), HasSubstr("not an object"));
  EXPECT_THAT(with_index(R"({"a.weight": "model.safetensors\u0000"})"), HasSubstr("plain"));
  EXPECT_THAT(with_index(R"({"a.weight": ""})"), HasSubstr("plain"));
  fs::remove(source() / "model.safetensors.index.json");
  fs::rename(source() / "model.safetensors", source() / "model-00001-of-00002.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("1 of 2 files"));
}

TEST_F(QuantizeCheckpoint, SaysWhyNothingIsLeftToQuantize) {
  write({{"a.weight", ramp({4, 48})}});
  EXPECT_THAT(refusal(), HasSubstr("group size 64"));
  write({{"norm.weight", ramp({64})}});
  EXPECT_THAT(refusal(), HasSubstr("no layer to quantize"));
  const Stream stream = test_devices().front().default_stream();
  try {
    quantize_checkpoint(tiny_folder("llama_affine4_g64_bf16"), target(), {}, stream);
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("quantized already"));
  }
}

TEST_F(QuantizeCheckpoint, FollowsMlxLmInTheLayersOfAFamily) {
  const std::map<std::string, Array> tensors = {
      {"lm_head.weight", ramp({4, 64})},
      {"model.layers.0.router.layer.weight", ramp({4, 64})},
      {"model.layers.0.block_sparse_moe.router.layer.weight", ramp({4, 64})},
      {"model.layers.0.self_attn.o_proj.weight", ramp({4, 64})}};
  write(tensors, {{"model_type", "granitemoe"}, {"tie_word_embeddings", false}});
  const QuantizedCheckpoint granite = quantize();
  EXPECT_EQ(granite.quantized.size(), 3U);
  EXPECT_THAT(granite.kept, ElementsAre("model.layers.0.router.layer"));
  const json fine = {{"bits", 8}, {"group_size", 64}, {"mode", "affine"}};
  EXPECT_EQ(config_of(target()).at("quantization").at("lm_head"), fine);
  write(tensors, {{"model_type", "qwen2"}});  // tied unless it says otherwise
  quantize({.replace = true});
  EXPECT_FALSE(
      SafetensorsFile(target() / "model.safetensors").tensors().contains("lm_head.weight"));
  write(tensors, {{"model_type", "qwen3"}});
  EXPECT_EQ(quantize({.replace = true}).quantized.size(), 2U);
}

TEST_F(QuantizeCheckpoint, AnEmptyQuantizationIsFilledIn) {
  write({{"a.weight", ramp({4, 64})}}, {{"quantization", json::object()}});
  quantize();
  const json own = {{"bits", 4}, {"group_size", 64}, {"mode", "affine"}};
  json wanted = own;
  wanted["a"] = own;
  EXPECT_EQ(config_of(target()).at("quantization"), wanted);
}

TEST_F(QuantizeCheckpoint, ReplacesCheckpointsOnly) {
  write({{"a.weight", ramp({4, 64})}});
  const Stream stream = test_devices().front().default_stream();
  const auto replace = [&] { quantize_checkpoint(source(), target(), {.replace = true}, stream); };
  fs::create_directories(target() / "src");
  folder_.write("target/config.json", "{}");
  folder_.write("target/src/main.c", "mine");
  EXPECT_THROW(replace(), ArgumentError);  // another program's config.json
  fs::remove_all(target());
  replace();
  fs::create_directory(target() / "src");
  EXPECT_THROW(replace(), ArgumentError);  // a checkpoint with a folder of someone's
  fs::remove(target() / "src");
  fs::rename(source() / "model.safetensors", target() / "model.safetensors");
  fs::create_symlink(target() / "model.safetensors", source() / "model.safetensors");
  EXPECT_THROW(replace(), ArgumentError);  // what it reads lies there
  EXPECT_EQ(SafetensorsFile(source() / "model.safetensors").at("a.weight").type, "F32");
}

TEST_F(QuantizeCheckpoint, NamesTheTarget) {
  write({{"a.weight", ramp({4, 64})}});
  const Stream stream = test_devices().front().default_stream();
  EXPECT_THROW(quantize_checkpoint(source(), "", {}, stream), ArgumentError);
  EXPECT_THROW(quantize_checkpoint(source(), folder_ / std::string(300, 'x'), {}, stream),
               ArgumentError);
  EXPECT_NO_THROW(quantize_checkpoint(source(), target().string() + "/", {}, stream));
  EXPECT_TRUE(fs::exists(target() / "config.json"));
}

TEST_F(QuantizeCheckpoint, DoesNotReplaceItsSource) {
  write({{"a.weight", ramp({4, 64})}});
  const Stream stream = test_devices().front().default_stream();
  EXPECT_THROW(quantize_checkpoint(source(), source(), {.replace = true}, stream), ArgumentError);
  folder_.write("config.json", "{}");
  EXPECT_THROW(quantize_checkpoint(source(), folder_.path(), {.replace = true}, stream),
               ArgumentError);
  EXPECT_EQ(SafetensorsFile(source() / "model.safetensors").tensors().size(), 1U);
}

TEST_F(QuantizeCheckpoint, WhatProgressThrowsEndsItAndLeavesNothing) {
  write({{"a.weight", ramp({4, 64})}, {"b.weight", ramp({4, 64})}});
  QuantizeCheckpointOptions options;
  options.progress = [](std::uint64_t done, std::uint64_t total) {
    if (done == total) throw std::runtime_error("enough");
  };
  EXPECT_THROW(quantize(options), std::runtime_error);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1) << "more than the source";
}

TEST(QuantizationPlan, PatternsFitWholePaths) {
  EXPECT_TRUE(matches_pattern("*", "a.b"));
  EXPECT_TRUE(matches_pattern("*.q_proj", "model.layers.0.q_proj"));
  EXPECT_TRUE(matches_pattern("m*l?y*.?_proj", "model.layers.0.q_proj"));
  EXPECT_TRUE(matches_pattern("a**", "a"));
  EXPECT_FALSE(matches_pattern("layers.0", "model.layers.0"));
  EXPECT_FALSE(matches_pattern("a?", "a"));
  EXPECT_FALSE(matches_pattern("", "a"));
}

TEST(QuantizationPlan, RefusesWhatItDoesNotKnow) {
  for (const char* text :
       {"[]", "{\"a\": \"drop\"}", "{\"a\": 4}", R"({"a": {"bits": 7}})",
        R"({"a": {"group_size": 16}})", R"({"a": {"bits": "4"}})", R"({"a": {"mode": "int4"}})",
        R"({"a": {"width": 1}})", R"({"a": "keep", "a": {}})", R"({"a": {"bits": 4294967300}})",
        "{", "", R"({"a": {"mode": "mxfp4", "bits": 8}})"}) {
    EXPECT_THROW(parse_quantization_plan(text, "plan"), FormatError) << text;
  }
}

}  // namespace
}  // namespace clmx
