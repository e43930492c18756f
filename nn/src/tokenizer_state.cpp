#include "tokenizer_state.hpp"

#include <limits>

#include "byte_level.hpp"
#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

using Kind = TokenizerParts::Kind;

PreTokenizer compile(const TokenizerParts& parts) {
  try {
    return PreTokenizer(parts.steps);
  } catch (const ArgumentError& error) {
    throw FormatError(parts.file, 0, error.what());
  }
}

std::int32_t checked_id(const TokenizerParts& parts, std::int64_t id, const char* what) {
  if (id < 0 || id >= std::ssize(parts.tokens)) {
    throw FormatError(
        parts.file, 0,
        join("the ", what, " token ", id, " is outside the ", parts.tokens.size(), " tokens"));
  }
  return static_cast<std::int32_t>(id);
}

}  // namespace

TokenizerState::TokenizerState(const TokenizerParts& parts)
    : bytes(parts.tokens.size()),
      is_control(parts.tokens.size()),
      pre_tokenizer(compile(parts)),
      add_bos(parts.add_bos),
      chat_template(parts.chat_template) {
  encoder.reserve(parts.tokens.size(), parts.merges.size());
  encoder.set_whole_pieces_first(parts.whole_pieces_first);
  for (std::size_t i = 0; i < parts.tokens.size(); ++i) add_token(parts, i);
  add_merges(parts);
  if (parts.bos) bos = checked_id(parts, *parts.bos, "bos");
  for (const std::int64_t id : parts.eos) eos.push_back(checked_id(parts, id, "eos"));
}

void TokenizerState::add_token(const TokenizerParts& parts, std::size_t i) {
  const auto& [text, kind] = parts.tokens[i];
  const auto id = static_cast<std::int32_t>(i);
  is_control[i] = kind == Kind::control;
  if (kind == Kind::unused) return;
  const auto decoded = bytes_of_token(text);
  bytes[i] = kind == Kind::text && decoded ? *decoded : std::string(text);
  if (kind != Kind::text) added.add(bytes[i], id, kind == Kind::control);
  // Control tokens must not come out of plain text; other tokens may also be made by merges.
  if (kind == Kind::control || !decoded || bytes[i] != *decoded || bytes[i].empty()) return;
  const std::int32_t same = encoder.add_token(bytes[i], id);
  if (same >= 0 && kind == Kind::text) {
    throw FormatError(parts.file, 0, join("tokens ", same, " and ", id, " are the same"));
  }
}

void TokenizerState::add_merges(const TokenizerParts& parts) {
  for (std::size_t i = 0; i < parts.merges.size(); ++i) {
    const auto left = bytes_of_token(parts.merges[i].first);
    const auto right = bytes_of_token(parts.merges[i].second);
    if (!left || !right || !encoder.add_merge(*left, *right)) {
      throw FormatError(
          parts.file, 0,
          join("merge ", i, " (", parts.merges[i].first.substr(0, 40), " with ",
               parts.merges[i].second.substr(0, 40), ") is not of tokens, or does not make one"));
    }
  }
}

}  // namespace clmx
