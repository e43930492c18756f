#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "clmx/host/gguf.hpp"
#include "tokenizer_state.hpp"

namespace clmx {

/// The tokenizer of a GGUF file; its views point into the file. Throws FormatError.
TokenizerParts tokenizer_parts(const GgufFile& file);

/// tokenizer.json and tokenizer_config.json, parsed. Everything throws FormatError.
class TokenizerJson {
 public:
  TokenizerJson(const std::filesystem::path& tokenizer,
                const std::optional<std::filesystem::path>& config);
  /// Its views point into this object.
  TokenizerParts parts() const;

 private:
  void read_vocabulary(TokenizerParts& parts) const;
  void read_added_tokens(TokenizerParts& parts) const;
  void read_merges(TokenizerParts& parts) const;
  void read_config(TokenizerParts& parts) const;
  void check_model() const;
  void check_normalizer(const nlohmann::json& normalizer) const;
  std::optional<std::string> first_template_token() const;
  [[noreturn]] void fail(const std::string& reason) const;

  std::string file_;
  nlohmann::json json_, config_;
};

/// The steps of tokenizer.json's pre_tokenizer. Throws FormatError for file, naming what is not
/// known.
std::vector<PreTokenizer::Step> pre_tokenizer_steps(const nlohmann::json& pre_tokenizer,
                                                    const std::string& file);

}  // namespace clmx
