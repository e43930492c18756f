#include <xxhash.h>

#include <cstdint>

#include "binary_store.hpp"

namespace clmx {
namespace {

constexpr std::string_view magic = "CLMXBIN1";
constexpr std::size_t checksum_bytes = sizeof(XXH128_canonical_t);
constexpr std::size_t length_bytes = 8;
constexpr std::size_t body_at = magic.size() + checksum_bytes;

std::string checksum(std::string_view body) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(body.data(), body.size()));
  return {reinterpret_cast<const char*>(canonical.digest), checksum_bytes};
}

std::string with_length(std::string_view part) {
  std::string text;
  text.reserve(length_bytes + part.size());
  for (std::size_t i = 0; i < length_bytes; ++i) {
    text.push_back(static_cast<char>(std::uint64_t{part.size()} >> (8 * i) & 0xFF));
  }
  return text.append(part);
}

// Takes the next part off the front of `rest`.
std::optional<std::string_view> take_part(std::string_view& rest) {
  if (rest.size() < length_bytes) return std::nullopt;
  std::uint64_t length = 0;
  for (std::size_t i = length_bytes; i-- > 0;) {
    length = length << 8 | static_cast<unsigned char>(rest[i]);
  }
  rest.remove_prefix(length_bytes);
  if (length > rest.size()) return std::nullopt;
  const std::string_view part = rest.substr(0, static_cast<std::size_t>(length));
  rest.remove_prefix(part.size());
  return part;
}

std::string join_lines(const std::set<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

std::set<std::string> split_lines(std::string_view text) {
  std::set<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

}  // namespace

std::string encode_entry(std::string_view key, const StoredBinary& binary) {
  const std::string_view payload(reinterpret_cast<const char*>(binary.payload.data()),
                                 binary.payload.size());
  const std::string body =
      with_length(key) + with_length(join_lines(binary.shapes)) + with_length(payload);
  return std::string(magic) + checksum(body) + body;
}

std::optional<StoredBinary> decode_entry(std::string_view entry, std::string_view key) {
  if (entry.size() < body_at || entry.substr(0, magic.size()) != magic) return std::nullopt;
  std::string_view rest = entry.substr(body_at);
  if (entry.substr(magic.size(), checksum_bytes) != checksum(rest)) return std::nullopt;
  const auto stored_key = take_part(rest);
  const auto shapes = take_part(rest);
  const auto payload = take_part(rest);
  if (!stored_key || !shapes || !payload || payload->empty() || !rest.empty()) return std::nullopt;
  if (*stored_key != key) return std::nullopt;
  return StoredBinary{split_lines(*shapes), {payload->begin(), payload->end()}};
}

}  // namespace clmx
