#include "last_uses.hpp"

namespace clmx {

void LastUses::note_other_stream(std::uint64_t mine) {
  const std::lock_guard lock(mutex_);
  std::erase_if(
      others_, [mine](std::uint64_t other) { return unpack(other).stream == unpack(mine).stream; });
  const std::uint64_t before = latest_.exchange(mine);
  if (before != 0 && unpack(before).stream != unpack(mine).stream) others_.push_back(before);
}

std::vector<Use> LastUses::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Use> uses;
  const std::uint64_t latest = latest_.load();
  if (latest != 0) uses.push_back(unpack(latest));
  for (const std::uint64_t other : others_) uses.push_back(unpack(other));
  return uses;
}

}  // namespace clmx
