#include "clmx/nn/chat_template.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

using Messages = std::vector<ChatMessage>;

// As models of the SmolLM2 family have it.
constexpr const char* with_default =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are \"kind\".<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + "
    "message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
constexpr const char* without_default =
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + "
    "'<|im_end|>\\n' }}{% endfor %}{{ '<|im_start|>assistant\\n' }}";

TEST(ChatTemplate, PutsTheDefaultSystemLineInFront) {
  EXPECT_EQ(ChatTemplate(with_default).render(Messages{{"user", "Hi"}}),
            "<|im_start|>system\nYou are \"kind\".<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\n");
}

TEST(ChatTemplate, LeavesItOutWhenASystemMessageIsGiven) {
  EXPECT_EQ(ChatTemplate(with_default).render(Messages{{"system", "S"}, {"user", "Hi"}}, false),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n");
}

TEST(ChatTemplate, AddsNoSystemLineThatTheTemplateDoesNotHold) {
  const ChatTemplate chat(without_default);
  EXPECT_EQ(chat.default_system(), std::nullopt);
  EXPECT_EQ(chat.render(Messages{{"user", "a"}, {"assistant", "b"}, {"user", "c"}}),
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"
            "<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ChatTemplate, FindsADefaultThatFollowsASystemTextInParts) {
  const ChatTemplate chat(
      "{%- if tools %}{{- '<|im_start|>system\\n' }}{{- messages[0].content }}{{- '<|im_end|>' }}"
      "{%- else %}{{- '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{%- endif %}");
  EXPECT_EQ(chat.default_system(), "You help.");
}

TEST(ChatTemplate, RefusesOtherKindsOfTemplate) {
  EXPECT_THROW(ChatTemplate(""), ArgumentError);
  EXPECT_THROW(ChatTemplate("[INST] {{ message.content }} [/INST]"), ArgumentError);
  EXPECT_THROW(ChatTemplate("<|im_start|>user<|im_sep|>x<|im_end|>"), ArgumentError);
}

TEST(ChatTemplate, RefusesUnknownRolesAndNoMessages) {
  const ChatTemplate chat(without_default);
  EXPECT_THROW(chat.render({}), ArgumentError);
  EXPECT_THROW(chat.render(Messages{{"User", "a"}}), ArgumentError);
}

}  // namespace
}  // namespace clmx
