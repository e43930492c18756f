#include "utf8.hpp"

namespace clmx {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

/// By its first byte: how long a character is and which second bytes are right.
struct Lead {
  std::size_t length;
  unsigned least, most;
};

Lead lead_of(unsigned byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xc2) return {0, 0, 0};
  if (byte < 0xe0) return {2, 0x80, 0xbf};
  if (byte < 0xf0) return {3, byte == 0xe0 ? 0xa0u : 0x80u, byte == 0xed ? 0x9fu : 0xbfu};
  if (byte < 0xf5) return {4, byte == 0xf0 ? 0x90u : 0x80u, byte == 0xf4 ? 0x8fu : 0xbfu};
  return {0, 0, 0};
}

}  // namespace

Utf8Step utf8_step(std::string_view text) {
  using Kind = Utf8Step::Kind;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const Lead lead = lead_of(byte(0));
  if (lead.length == 0) return {Kind::invalid, 1};
  if (lead.length == 1) return {Kind::character, 1, byte(0)};
  char32_t code_point = byte(0) & (0x7fu >> lead.length);
  for (std::size_t i = 1; i < lead.length; ++i) {
    if (i == text.size()) return {Kind::incomplete, i};
    const unsigned least = i == 1 ? lead.least : 0x80, most = i == 1 ? lead.most : 0xbf;
    if (byte(i) < least || byte(i) > most) return {Kind::invalid, i};
    code_point = code_point << 6 | (byte(i) & 0x3f);
  }
  return {Kind::character, lead.length, code_point};
}

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text.substr(at));
    if (step.kind != Utf8Step::Kind::character) return at;
    at += step.length;
  }
  return {};
}

std::string take_whole_characters(std::string& pending) {
  std::string whole;
  std::size_t at = 0;
  while (at < pending.size()) {
    const Utf8Step step = utf8_step(std::string_view(pending).substr(at));
    if (step.kind == Utf8Step::Kind::incomplete) break;
    if (step.kind == Utf8Step::Kind::invalid) {
      whole += replacement;
    } else {
      whole.append(pending, at, step.length);
    }
    at += step.length;
  }
  pending.erase(0, at);
  return whole;
}

void append_utf8(std::string& text, char32_t c) {
  const auto put = [&](char32_t byte) {
    text += static_cast<char>(static_cast<unsigned char>(byte));
  };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

}  // namespace clmx
