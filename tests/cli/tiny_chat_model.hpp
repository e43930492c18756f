#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "support/temp_folder.hpp"

namespace clmx {

/// A tiny llama with a tokenizer whose tokens are the 256 bytes, the two of ChatML, and words that
/// fill the vocabulary of 320.
class TinyChatModel {
 public:
  TinyChatModel() {
    namespace fs = std::filesystem;
    const fs::path source = fs::path(CLMX_TEST_DATA) / "tiny" / "llama_affine4_g64_bf16";
    for (const char* file : {"config.json", "model.safetensors"}) {
      fs::copy_file(source / file, folder_ / file);
    }
    folder_.write("tokenizer.json", tokenizer().dump());
    folder_.write("tokenizer_config.json",
                  R"({"chat_template": "{% for m in messages %}{{ '<|im_start|>' + m['role'] +)"
                  R"( '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"})");
  }
  std::string path() const { return folder_.path().string(); }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

 private:
  /// GPT-2's letter for a byte, in UTF-8: printable bytes stand for themselves, the others for
  /// U+0100 and on.
  static std::string letter(int byte, int& next) {
    const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
    const int point = printable ? byte : next++;
    if (point < 0x80) return std::string(1, static_cast<char>(point));
    return {static_cast<char>(0xc0 | point >> 6), static_cast<char>(0x80 | (point & 0x3f))};
  }
  static nlohmann::json tokenizer() {
    nlohmann::json vocabulary = nlohmann::json::object();
    int next = 0x100;
    for (int byte = 0; byte < 256; ++byte) vocabulary[letter(byte, next)] = byte;
    for (int id = 258; id < 320; ++id) vocabulary["word" + std::to_string(id)] = id;
    const auto special = [](int id, const char* text) {
      return nlohmann::json{{"id", id}, {"content", text}, {"special", true}};
    };
    return {
        {"normalizer", nullptr},
        {"pre_tokenizer",
         {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
        {"added_tokens", {special(256, "<|im_start|>"), special(257, "<|im_end|>")}},
        {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", nlohmann::json::array()}}}};
  }
  TempFolder folder_;
};

}  // namespace clmx
