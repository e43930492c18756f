#include <charconv>
#include <cstdlib>
#include <limits>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"

namespace clmx {

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

std::optional<std::size_t> environment_bytes(const char* name) {
  const std::optional<std::string> text = environment(name);
  if (!text) return std::nullopt;
  const char* const end = text->data() + text->size();
  std::size_t number = 0;
  const auto [rest, error] = std::from_chars(text->data(), end, number);
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  const int shift = suffix.empty() ? 0 : suffix == "K" ? 10 : suffix == "M" ? 20 : 30;
  const bool known_suffix = shift < 30 || suffix == "G";
  const bool fits = number <= std::numeric_limits<std::size_t>::max() >> shift;
  require(error == std::errc() && known_suffix && fits, name,
          "must be a number of bytes, optionally with the suffix K, M or G, not '", *text, "'");
  return number << shift;
}

}  // namespace clmx
