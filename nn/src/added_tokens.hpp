#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clmx {

/// The tokens that are found in a text before it is cut into pieces: control tokens and those that
/// a user added.
class AddedTokens {
 public:
  struct Hit {
    std::size_t at, length;
    std::int32_t id;
  };
  void add(std::string text, std::int32_t id, bool control);
  /// The first hit from a place on; of those at one place the longest.
  std::optional<Hit> find(std::string_view text, std::size_t from, bool control_too) const;
  std::optional<std::int32_t> id_of(std::string_view text) const;

 private:
  struct Token {
    std::string text;
    std::int32_t id;
    bool control;
  };
  const Token* match(std::string_view text, bool control_too) const;
  std::array<std::vector<Token>, 256> by_first_byte_;  // longest first
};

}  // namespace clmx
