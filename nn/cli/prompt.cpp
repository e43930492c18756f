#include "prompt.hpp"

#include "clmx/nn/chat_template.hpp"

namespace clmx::cli {

std::vector<std::int32_t> raw_tokens(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<std::int32_t> tokens = tokenizer.encode(text);
  if (tokenizer.add_bos() && tokenizer.bos()) tokens.insert(tokens.begin(), *tokenizer.bos());
  return tokens;
}

std::vector<std::int32_t> chat_tokens(const Tokenizer& tokenizer, const std::string& message) {
  tokenizer.encode(message, false);  // so that an error counts the bytes of the user's own text
  const ChatTemplate chat(tokenizer.chat_template());
  const std::vector<ChatMessage> messages = {{"user", message}};
  // The template writes every special token that it wants, BOS too.
  return tokenizer.encode(chat.render(messages));
}

}  // namespace clmx::cli
