#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace clmx {

struct ChatMessage {
  std::string role;  ///< "system", "user" or "assistant"
  std::string content;
};

/// A chat template of the ChatML kind: "<|im_start|>role\ncontent<|im_end|>\n" per message.
class ChatTemplate {
 public:
  /// From the Jinja source in a model's files, of which only the default system line is read.
  /// Throws ArgumentError when the source is empty or of another kind: such a model is used with
  /// raw prompts.
  explicit ChatTemplate(std::string_view jinja_source);

  /// The prompt. The model's default system line, if it has one, is put in front when the first
  /// message is not a system message. Contents are written as they are: special tokens inside
  /// them count. Throws ArgumentError when there is no message or a role is unknown.
  std::string render(std::span<const ChatMessage> messages,
                     bool add_generation_prompt = true) const;
  const std::optional<std::string>& default_system() const { return default_system_; }

 private:
  std::optional<std::string> default_system_;
};

}  // namespace clmx
