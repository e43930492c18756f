#include "clmx/nn/model_file.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "clmx/devices/error.hpp"
#include "gguf_checkpoint.hpp"
#include "support/temp_folder.hpp"
#include "tiny_models.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

/// A copy of a checkpoint to be spoilt.
class Copy {
 public:
  explicit Copy(const std::string& name) {
    for (const auto& entry : fs::directory_iterator(tiny_folder(name))) {
      fs::copy_file(entry.path(), folder_ / entry.path().filename().string());
    }
  }
  fs::path path() const { return folder_.path(); }
  fs::path operator/(const std::string& name) const { return folder_ / name; }
  /// Replaces the first `from` in config.json.
  void edit_config(const std::string& from, const std::string& to) const {
    std::string text = content_of(folder_ / "config.json");
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    folder_.write("config.json", text.replace(at, from.size(), to));
  }

 private:
  TempFolder folder_;
};

/// The message of the FormatError that loading throws.
std::string refusal(const fs::path& path) {
  try {
    load_model(path);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "no FormatError";
}

TEST(ModelFile, MissingFilesAreNamed) {
  EXPECT_NE(refusal("/nowhere/model.gguf").find("/nowhere/model.gguf"), std::string::npos);
  const TempFolder empty;
  EXPECT_NE(refusal(empty.path()).find("config.json"), std::string::npos);
}

TEST(ModelFile, CutOffWeightsAreRefused) {
  const Copy copy("llama_affine4_g64_bf16");
  fs::resize_file(copy / "model.safetensors", 100000);
  EXPECT_NE(refusal(copy.path()).find("model.safetensors"), std::string::npos);
}

TEST(ModelFile, MissingShardsAreRefused) {
  const Copy copy("llama_sharded_affine4");
  fs::remove(copy / "model-00002-of-00003.safetensors");
  EXPECT_NE(refusal(copy.path()).find("model-00002"), std::string::npos);
}

TEST(ModelFile, ShardsOutsideTheFolderAreRefused) {
  const Copy copy("llama_sharded_affine4");
  std::ofstream(copy / "model.safetensors.index.json")
      << R"({"weight_map": {"a": "../model.safetensors"}})";
  EXPECT_NE(refusal(copy.path()).find("not a plain file name"), std::string::npos);
}

TEST(ModelFile, ShapesThatDoNotFitAreRefused) {
  for (const auto& [from, to] :
       {std::pair{"\"hidden_size\": 128", "\"hidden_size\": 256"},
        std::pair{"\"vocab_size\": 320", "\"vocab_size\": 321"},
        std::pair{"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"},
        std::pair{"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"}}) {
    const Copy copy("llama_affine4_g64_bf16");
    copy.edit_config(from, to);
    EXPECT_NE(refusal(copy.path()).find("tensor"), std::string::npos) << to;
  }
}

TEST(ModelFile, UnsupportedModesNameTensorAndMode) {
  const Copy copy("llama_mxfp4");
  copy.edit_config("\"group_size\": 32",
                   "\"lm_head\": {\"bits\": 3, \"group_size\": 64}, "
                   "\"group_size\": 32");
  const std::string reason = refusal(copy.path());
  EXPECT_NE(reason.find("lm_head"), std::string::npos) << reason;
  EXPECT_NE(reason.find("3 bits"), std::string::npos) << reason;
}

TEST(ModelFile, TensorsThatNothingUsesAreRefusedOnlyWhenStrict) {
  const Copy copy("llama_affine4_g64_bf16");
  copy.edit_config("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
  EXPECT_EQ(refusal(copy.path()), "no FormatError");  // a tied model may carry its head
  copy.edit_config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
  EXPECT_NE(refusal(copy.path()).find("model.layers.1"), std::string::npos);
  EXPECT_NO_THROW(load_model(copy.path(), {.strictness = Strictness::ignore_unexpected}));
}

TEST(ModelFile, FoldersWithoutATokenizerSaySo) {
  const ModelFile file(tiny_folder("llama_affine4_g64_bf16"));
  EXPECT_THROW(file.tokenizer(), FormatError);
}

TEST(GgufCheckpoint, NamesBecomeThoseOfMlx) {
  EXPECT_EQ(mlx_name("token_embd.weight"), "model.embed_tokens.weight");
  EXPECT_EQ(mlx_name("output.weight"), "lm_head.weight");
  EXPECT_EQ(mlx_name("blk.12.attn_q.bias"), "model.layers.12.self_attn.q_proj.bias");
  EXPECT_EQ(mlx_name("blk.0.ffn_norm.weight"), "model.layers.0.post_attention_layernorm.weight");
  for (const char* unknown : {"blk.0.weight", "blk", "odd", "blk.0.ssm_a.weight", ""}) {
    EXPECT_EQ(mlx_name(unknown), unknown);
  }
}

TEST(GgufCheckpoint, RowsOfTwoHeadsArePutRight) {
  // llama.cpp stores a head's rows 0 1 2 3 as 0 2 1 3: the halves alternate.
  EXPECT_EQ(unpermuted_rows(8, 2), (std::vector<std::int64_t>{0, 2, 1, 3, 4, 6, 5, 7}));
  EXPECT_EQ(unpermuted_rows(6, 1), (std::vector<std::int64_t>{0, 2, 4, 1, 3, 5}));
}

}  // namespace
}  // namespace clmx
