#include "stream_registry.hpp"

#include "stream_state.hpp"

namespace clmx {

std::uint32_t StreamRegistry::reserve() {
  const std::lock_guard lock(mutex_);
  streams_.push_back(nullptr);
  return static_cast<std::uint32_t>(streams_.size() - 1);
}

void StreamRegistry::add(StreamState& stream) {
  const std::lock_guard lock(mutex_);
  streams_[stream.number] = &stream;
}

void StreamRegistry::remove(std::uint32_t stream) {
  const std::lock_guard lock(mutex_);
  streams_[stream] = nullptr;
}

bool StreamRegistry::completed(const Use& use) const {
  const std::lock_guard lock(mutex_);
  const StreamState* stream = streams_[use.stream];
  return stream == nullptr || stream->completed >= use.sequence;
}

void StreamRegistry::finish_all() {
  const std::lock_guard lock(mutex_);
  for (StreamState* stream : streams_) {
    if (stream != nullptr && !stream->dead) stream->finish();
  }
}

}  // namespace clmx
