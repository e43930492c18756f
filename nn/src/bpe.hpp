#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "token_table.hpp"

namespace clmx {

/// Byte-pair encoding over the bytes of a piece of text: the pair of neighbours whose merge comes
/// first in the list is joined, the leftmost of equal ones first, until none is left.
class BytePairEncoder {
 public:
  BytePairEncoder() { byte_ids_.fill(-1); }
  void reserve(std::size_t tokens, std::size_t merges) {
    ids_.reserve(tokens);
    merges_.reserve(merges);
  }
  /// As TokenTable::insert.
  std::int32_t add_token(std::string_view bytes, std::int32_t id);
  /// Adds the next merge of the list, by the bytes of its parts. False when a part or the whole is
  /// not a token. A pair that is there already keeps its place.
  bool add_merge(std::string_view left, std::string_view right);
  /// A piece that is a token as it is becomes that token, without merges.
  void set_whole_pieces_first(bool first) { whole_pieces_first_ = first; }

  void encode(std::string_view piece, std::vector<std::int32_t>& out) const;

 private:
  struct Merge {
    std::int32_t rank, result;
  };
  struct Symbol {
    std::int32_t id, before, after;
  };
  struct Candidate;
  class Work;

  const Merge* merge_of(std::int32_t left, std::int32_t right) const;
  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
  }

  TokenTable ids_;
  std::unordered_map<std::uint64_t, Merge> merges_;
  std::array<std::int32_t, 256> byte_ids_;  // -1: there is no such token
  bool whole_pieces_first_ = false;
};

}  // namespace clmx
