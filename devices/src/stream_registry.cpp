#include "stream_registry.hpp"

#include <algorithm>

#include "stream_state.hpp"

namespace clmx {

std::uint32_t StreamRegistry::reserve() {
  const std::lock_guard lock(mutex_);
  streams_.push_back({});
  return static_cast<std::uint32_t>(streams_.size() - 1);
}

void StreamRegistry::add(StreamState& stream) {
  const std::lock_guard lock(mutex_);
  streams_[stream.number].stream = &stream;
}

void StreamRegistry::remove(std::uint32_t stream, bool finished) {
  const std::lock_guard lock(mutex_);
  streams_[stream] = {nullptr, finished};
}

bool StreamRegistry::completed(const Use& use) const {
  const std::lock_guard lock(mutex_);
  const Slot& slot = streams_[use.stream];
  return slot.stream == nullptr ? slot.finished : slot.stream->completed >= use.sequence;
}

bool StreamRegistry::lost(const std::vector<Use>& uses) const {
  if (!any_lost_) return false;
  const std::lock_guard lock(mutex_);
  return std::any_of(uses.begin(), uses.end(), [this](const Use& use) {
    const Slot& slot = streams_[use.stream];
    if (slot.stream == nullptr) return !slot.finished;
    return slot.stream->dead && slot.stream->completed < use.sequence;
  });
}

void StreamRegistry::finish_all() {
  std::vector<std::shared_ptr<StreamState>> alive;
  {
    const std::lock_guard lock(mutex_);
    for (const Slot& slot : streams_) {
      if (slot.stream == nullptr || slot.stream->dead) continue;
      // Null while the stream is being destroyed, which finishes it as well.
      if (auto stream = slot.stream->weak_from_this().lock()) alive.push_back(std::move(stream));
    }
  }
  for (const auto& stream : alive) {
    if (!stream->dead) stream->finish();
  }
}

std::uint64_t StreamRegistry::news() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const Slot& slot : streams_) {
    if (slot.stream != nullptr) sum += slot.stream->trail.news();
  }
  return sum;
}

void StreamRegistry::lose_all() {
  any_lost_ = true;
  const std::lock_guard lock(mutex_);
  for (const Slot& slot : streams_) {
    if (slot.stream != nullptr) slot.stream->dead = true;
  }
}

std::string StreamRegistry::suspects() const {
  const std::lock_guard lock(mutex_);
  std::string names;
  for (const Slot& slot : streams_) {
    if (slot.stream == nullptr) continue;
    const std::unique_lock stream_lock(slot.stream->mutex, std::try_to_lock);
    const std::string found = stream_lock ? slot.stream->trail.suspects() : std::string();
    if (!found.empty()) names += (names.empty() ? "" : "; ") + found;
  }
  return names;
}

}  // namespace clmx
