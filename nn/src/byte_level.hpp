#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace clmx {

/// The bytes that a token of a byte-level vocabulary stands for: GPT-2 writes each byte as one
/// printable character (bytes that are printable as themselves, the others from U+0100 on). Nothing
/// when the text holds another character.
/// Source: https://github.com/openai/gpt-2, encoder.py, bytes_to_unicode.
std::optional<std::string> bytes_of_token(std::string_view token);

}  // namespace clmx
