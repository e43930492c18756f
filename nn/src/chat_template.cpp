#include "clmx/nn/chat_template.hpp"

#include <array>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

constexpr const char* op = "chat_template";
constexpr std::string_view message_begin = "<|im_start|>";
constexpr std::string_view message_end = "<|im_end|>";

/// Jinja's "\n" in a quoted text as the line end it means.
std::string with_line_ends(std::string_view source) {
  std::string text;
  for (std::size_t i = 0; i < source.size(); ++i) {
    const bool escaped = source.substr(i, 2) == "\\n";
    text += escaped ? '\n' : source[i];
    if (escaped) ++i;
  }
  return text;
}

/// The line of the first quoted text '<|im_start|>system\n...<|im_end|>': the system message that
/// the template writes by itself.
std::optional<std::string> find_default_system(std::string_view text) {
  constexpr std::string_view opening = "<|im_start|>system\n";
  for (std::size_t at = text.find(opening); at != std::string_view::npos;
       at = text.find(opening, at + 1)) {
    const std::size_t begin = at + opening.size();
    const std::size_t end = text.find(message_end, begin);
    if (at == 0 || end == std::string_view::npos) continue;
    const char quote = text[at - 1];
    const std::string_view line = text.substr(begin, end - begin);
    const bool is_one_text = (quote == '\'' || quote == '"') && line.find(quote) == line.npos;
    if (is_one_text && !line.empty()) return std::string(line);
  }
  return {};
}

void append_message(std::string& prompt, std::string_view role, std::string_view content) {
  prompt.append(message_begin).append(role).append("\n").append(content);
  prompt.append(message_end).append("\n");
}

}  // namespace

ChatTemplate::ChatTemplate(std::string_view jinja_source) {
  require(!jinja_source.empty(), op, "the model has no chat template; give it raw prompts (--raw)");
  const auto holds = [&](std::string_view part) { return jinja_source.find(part) != part.npos; };
  require(holds(message_begin) && holds(message_end) && !holds("<|im_sep|>"), op,
          "the model's chat template is not ChatML, the one kind that is known; give it raw "
          "prompts (--raw)");
  default_system_ = find_default_system(with_line_ends(jinja_source));
}

std::string ChatTemplate::render(std::span<const ChatMessage> messages,
                                 bool add_generation_prompt) const {
  constexpr std::array<std::string_view, 3> roles{"system", "user", "assistant"};
  require(!messages.empty(), op, "there is no message");
  std::string prompt;
  if (default_system_ && messages[0].role != "system") {
    append_message(prompt, "system", *default_system_);
  }
  for (const ChatMessage& message : messages) {
    bool is_known = false;
    for (const std::string_view role : roles) is_known = is_known || role == message.role;
    require(is_known, op, "role '", message.role, "' is none of system, user, assistant");
    append_message(prompt, message.role, message.content);
  }
  if (add_generation_prompt) prompt.append(message_begin).append("assistant\n");
  return prompt;
}

}  // namespace clmx
