#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace clmx {

/// Ids of tokens by their bytes. Loading a vocabulary asks it three times per merge, so it is a
/// flat table (open addressing, at most half full) instead of a std::unordered_map, whose nodes
/// cost most of the loading time.
class TokenTable {
 public:
  void reserve(std::size_t tokens);
  /// The id of the token; -1 when there is none.
  std::int32_t find(std::string_view bytes) const;
  /// -1, or the id that these bytes already have, which stays. The bytes must outlive the table
  /// and not move.
  std::int32_t insert(std::string_view bytes, std::int32_t id);

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t entry = -1;
  };
  struct Entry {
    std::string_view bytes;
    std::int32_t id;
  };
  std::size_t place_of(std::string_view bytes, std::uint32_t hash) const;

  std::vector<Slot> slots_;
  std::vector<Entry> entries_;
};

}  // namespace clmx
