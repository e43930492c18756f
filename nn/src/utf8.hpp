#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace clmx {

/// What a text begins with. length: bytes of the character, or, where the bytes are not UTF-8, of
/// the part to be replaced by one U+FFFD.
struct Utf8Step {
  enum class Kind { character, invalid, incomplete } kind;
  std::size_t length;
  char32_t code_point = 0;
};
/// The first character of a text that is not empty. incomplete: more bytes could still make one.
/// (Unicode, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.)
Utf8Step utf8_step(std::string_view text);

/// Where the first byte is that does not belong to a whole character; nothing when all do.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);
/// Moves the whole characters out of pending, bytes that cannot become one as U+FFFD; a begun
/// character stays.
std::string take_whole_characters(std::string& pending);
void append_utf8(std::string& text, char32_t code_point);

}  // namespace clmx
