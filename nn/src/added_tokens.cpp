#include "added_tokens.hpp"

#include <algorithm>

namespace clmx {

void AddedTokens::add(std::string text, std::int32_t id, bool control) {
  if (text.empty()) return;
  auto& tokens = by_first_byte_[static_cast<unsigned char>(text[0])];
  const auto place = std::find_if(tokens.begin(), tokens.end(), [&](const Token& other) {
    return other.text.size() < text.size();
  });
  tokens.insert(place, {std::move(text), id, control});
}

const AddedTokens::Token* AddedTokens::match(std::string_view text, bool control_too) const {
  for (const Token& token : by_first_byte_[static_cast<unsigned char>(text[0])]) {
    if (token.control && !control_too) continue;
    if (text.substr(0, token.text.size()) == token.text) return &token;
  }
  return nullptr;
}

std::optional<AddedTokens::Hit> AddedTokens::find(std::string_view text, std::size_t from,
                                                  bool control_too) const {
  for (std::size_t at = from; at < text.size(); ++at) {
    const Token* const token = match(text.substr(at), control_too);
    if (token) return Hit{at, token->text.size(), token->id};
  }
  return {};
}

std::optional<std::int32_t> AddedTokens::id_of(std::string_view text) const {
  if (text.empty()) return {};
  for (const Token& token : by_first_byte_[static_cast<unsigned char>(text[0])]) {
    if (token.text == text) return token.id;
  }
  return {};
}

}  // namespace clmx
