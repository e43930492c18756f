#include "rope_positions.hpp"

#include <algorithm>

namespace clmx {

RopeTable RopePositions::at_least(std::int64_t positions) {
  constexpr std::int64_t first_length = 512;
  const std::lock_guard lock(mutex_);
  if (positions > length_) {
    const std::int64_t wanted = std::max({positions, 2 * length_, first_length});
    length_ = std::max(positions, std::min(wanted, context_));
    table_ = make_rope_table(options_, length_);
  }
  return table_;
}

}  // namespace clmx
