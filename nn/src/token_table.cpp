#include "token_table.hpp"

#include <bit>
#include <functional>

namespace clmx {
namespace {

std::uint32_t hash_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(std::hash<std::string_view>()(bytes));
}

}  // namespace

/// Where the bytes are, else the free slot they would take.
std::size_t TokenTable::place_of(std::string_view bytes, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].entry >= 0) {
    const Slot& slot = slots_[at];
    if (slot.hash == hash && entries_[static_cast<std::size_t>(slot.entry)].bytes == bytes) break;
    at = (at + 1) & mask;
  }
  return at;
}

void TokenTable::reserve(std::size_t tokens) {
  const std::size_t wanted = std::bit_ceil(2 * tokens + 2);
  if (wanted <= slots_.size()) return;
  entries_.reserve(tokens);
  slots_.assign(wanted, {});
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const std::uint32_t hash = hash_of(entries_[i].bytes);
    slots_[place_of(entries_[i].bytes, hash)] = {hash, static_cast<std::int32_t>(i)};
  }
}

std::int32_t TokenTable::find(std::string_view bytes) const {
  if (slots_.empty()) return -1;
  const Slot& slot = slots_[place_of(bytes, hash_of(bytes))];
  return slot.entry < 0 ? -1 : entries_[static_cast<std::size_t>(slot.entry)].id;
}

std::int32_t TokenTable::insert(std::string_view bytes, std::int32_t id) {
  if (2 * entries_.size() + 2 > slots_.size()) reserve(2 * entries_.size() + 8);
  const std::uint32_t hash = hash_of(bytes);
  Slot& slot = slots_[place_of(bytes, hash)];
  if (slot.entry >= 0) return entries_[static_cast<std::size_t>(slot.entry)].id;
  slot = {hash, static_cast<std::int32_t>(entries_.size())};
  entries_.push_back({bytes, id});
  return -1;
}

}  // namespace clmx
