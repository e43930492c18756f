#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "added_tokens.hpp"
#include "bpe.hpp"
#include "pre_tokenizer.hpp"

namespace clmx {

/// What a tokenizer's files say, before it is checked. The views stay valid only while the file's
/// parsed form does.
struct TokenizerParts {
  enum class Kind : std::uint8_t {
    unused,   ///< no text at all
    text,     ///< written in the byte-level alphabet, made by merges
    added,    ///< found as it is written, stands for text
    control,  ///< found as it is written, if that is asked for
  };
  struct Token {
    std::string_view text;
    Kind kind = Kind::unused;
  };
  std::string file;  ///< for errors
  std::vector<Token> tokens;
  std::vector<std::pair<std::string_view, std::string_view>> merges;
  std::vector<PreTokenizer::Step> steps;
  bool whole_pieces_first = false, add_bos = false;
  std::optional<std::int64_t> bos;
  std::vector<std::int64_t> eos;
  std::string chat_template;
};

struct TokenizerState {
  /// Throws FormatError where the parts do not fit together.
  explicit TokenizerState(const TokenizerParts& parts);
  TokenizerState(const TokenizerState&) = delete;
  TokenizerState& operator=(const TokenizerState&) = delete;

  std::vector<std::string> bytes;  // of each token; encoder points into it
  std::vector<bool> is_control;
  BytePairEncoder encoder;
  PreTokenizer pre_tokenizer;
  AddedTokens added;
  std::optional<std::int32_t> bos;
  std::vector<std::int32_t> eos;
  bool add_bos;
  std::string chat_template;

 private:
  void add_token(const TokenizerParts& parts, std::size_t i);
  void add_merges(const TokenizerParts& parts);
};

}  // namespace clmx
