#include "clmx/devices/error.hpp"
#include "tokenizer_sources.hpp"

namespace clmx {
namespace {

using Kind = TokenizerParts::Kind;

/// Source: https://github.com/ggml-org/ggml, docs/gguf.md, tokenizer.ggml.token_type.
Kind kind_of(std::int64_t token_type, const std::string& file, std::size_t token) {
  switch (token_type) {
    case 1:  // normal
    case 6:  // byte
      return Kind::text;
    case 2:  // unknown
    case 3:  // control
      return Kind::control;
    case 4:
      return Kind::added;
    case 5:
      return Kind::unused;
    default:
      throw FormatError(file, 0, join("token ", token, " has the unknown type ", token_type));
  }
}

void read_tokens(const GgufFile& file, TokenizerParts& parts) {
  const auto& texts = file.texts("tokenizer.ggml.tokens");
  const auto* const types = file.integers_if("tokenizer.ggml.token_type");
  if (types && types->size() != texts.size()) {
    throw FormatError(
        parts.file, 0,
        join("there are ", texts.size(), " tokens and ", types->size(), " token types"));
  }
  if (texts.empty()) throw FormatError(parts.file, 0, "the vocabulary is empty");
  parts.tokens.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    parts.tokens.push_back({texts[i], types ? kind_of((*types)[i], parts.file, i) : Kind::text});
  }
}

void read_merges(const GgufFile& file, TokenizerParts& parts) {
  const auto& merges = file.texts("tokenizer.ggml.merges");
  parts.merges.reserve(merges.size());
  for (const std::string& merge : merges) {
    const std::size_t space = merge.find(' ');
    if (space == std::string::npos) {
      throw FormatError(parts.file, 0, join("merge ", parts.merges.size(), " is not of two parts"));
    }
    const std::string_view whole(merge);
    parts.merges.emplace_back(whole.substr(0, space), whole.substr(space + 1));
  }
}

}  // namespace

TokenizerParts tokenizer_parts(const GgufFile& file) {
  TokenizerParts parts;
  parts.file = file.path().string();
  const std::string model = file.text("tokenizer.ggml.model");
  if (model != "gpt2") {
    throw FormatError(parts.file, 0,
                      "tokenizer model '" + model + "' is not supported; gpt2 (byte-level BPE) is");
  }
  const std::string pre = file.text_if("tokenizer.ggml.pre").value_or("default");
  parts.steps = PreTokenizer::steps_named(pre);
  if (parts.steps.empty()) {
    throw FormatError(parts.file, 0, "the pre-tokenizer '" + pre + "' is unknown");
  }
  // The vocabulary of Llama 3 holds words that its merges do not make.
  parts.whole_pieces_first = pre == "llama-bpe" || pre == "llama3" || pre == "llama-v3";
  read_tokens(file, parts);
  read_merges(file, parts);
  parts.bos = file.integer_if("tokenizer.ggml.bos_token_id");
  for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    const auto id = file.integer_if(std::string("tokenizer.ggml.") + key);
    if (id) parts.eos.push_back(*id);
  }
  // Files of Llama 3 often leave out that it wants one.
  parts.add_bos = file.boolean_if("tokenizer.ggml.add_bos_token")
                      .value_or(parts.whole_pieces_first && parts.bos.has_value());
  if (parts.add_bos && !parts.bos) throw FormatError(parts.file, 0, "there is no bos token to add");
  parts.chat_template = file.text_if("tokenizer.chat_template").value_or("");
  return parts;
}

}  // namespace clmx
