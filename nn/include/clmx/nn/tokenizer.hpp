#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "clmx/host/gguf.hpp"

namespace clmx {

struct TokenizerState;

/// A byte-level BPE tokenizer. A cheap, immutable value: copies share the vocabulary, and any
/// thread may use it.
///
/// Text is taken as it is: a file that asks for NFC is accepted, but nothing is normalised here.
/// Bytes that the vocabulary has no token for are dropped, never replaced by an unknown token.
class Tokenizer {
 public:
  /// From `tokenizer.ggml.*`, model "gpt2"; `pre` one of smollm, gpt-2, default, llama-bpe, qwen2
  /// (and their aliases). Throws FormatError when something is missing, inconsistent or unknown.
  static Tokenizer from_gguf(const GgufFile& file);
  /// From Hugging Face's tokenizer.json (model BPE; pre-tokenizers ByteLevel, Digits, Split,
  /// Sequence) and, when given, tokenizer_config.json (bos, eos, chat template). Throws
  /// FormatError.
  static Tokenizer from_json(const std::filesystem::path& tokenizer_json,
                             const std::optional<std::filesystem::path>& config = {});

  /// Token ids; nothing is put in front (see add_bos). parse_special: control tokens written in
  /// the text become their ids; tokens a user added are always found. Throws ArgumentError when
  /// the text is not UTF-8.
  std::vector<std::int32_t> encode(std::string_view utf8, bool parse_special = true) const;
  /// The text of the tokens, special ones included; bytes that are not UTF-8 become U+FFFD.
  /// Throws ArgumentError for an id outside the vocabulary.
  std::string decode(std::span<const std::int32_t> ids) const;
  /// The bytes of one token, perhaps part of a character. Throws ArgumentError as decode.
  std::string_view token_bytes(std::int32_t id) const;

  std::int64_t vocab_size() const;
  /// Whether it is a control token (not one that stands for text). False outside the vocabulary.
  bool is_special(std::int32_t id) const;
  /// The special or added token written so.
  std::optional<std::int32_t> special_token(std::string_view text) const;
  std::optional<std::int32_t> bos() const;
  /// Ids that end an answer, as far as the tokenizer's own files say; perhaps none.
  std::span<const std::int32_t> eos() const;
  bool is_eos(std::int32_t id) const;
  /// Whether the model wants bos() in front of a text.
  bool add_bos() const;
  /// The Jinja source of the model's chat template; empty when there is none.
  const std::string& chat_template() const;

 private:
  explicit Tokenizer(std::shared_ptr<const TokenizerState> state) : state_(std::move(state)) {}
  std::shared_ptr<const TokenizerState> state_;
};

/// Turns tokens into text as they come: only whole UTF-8 characters leave it.
class StreamingDecoder {
 public:
  explicit StreamingDecoder(Tokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {}
  /// The characters that this token completes, perhaps none; bytes that cannot become a character
  /// give U+FFFD. Throws ArgumentError for an id outside the vocabulary.
  std::string push(std::int32_t id);
  /// What is left at the end: a begun character gives one U+FFFD.
  std::string finish();

 private:
  Tokenizer tokenizer_;
  std::string pending_;
};

}  // namespace clmx
