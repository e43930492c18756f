#include "byte_level.hpp"

#include <array>
#include <cstdint>

#include "utf8.hpp"

namespace clmx {
namespace {

constexpr std::size_t characters = 0x144;

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad && byte <= 0xff);
}

/// Byte of each character; -1 for characters that stand for none.
constexpr std::array<std::int16_t, characters> make_byte_of_character() {
  std::array<std::int16_t, characters> byte_of{};
  for (auto& byte : byte_of) byte = -1;
  std::size_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    byte_of[stands_for_itself(byte) ? byte : next++] = static_cast<std::int16_t>(byte);
  }
  return byte_of;
}

constexpr std::array<std::int16_t, characters> byte_of_character = make_byte_of_character();

}  // namespace

std::optional<std::string> bytes_of_token(std::string_view token) {
  std::string bytes;
  bytes.reserve(token.size());
  while (!token.empty()) {
    const Utf8Step step = utf8_step(token);
    if (step.kind != Utf8Step::Kind::character || step.code_point >= characters) return {};
    const std::int16_t byte = byte_of_character[step.code_point];
    if (byte < 0) return {};
    bytes += static_cast<char>(static_cast<unsigned char>(byte));
    token.remove_prefix(step.length);
  }
  return bytes;
}

}  // namespace clmx
