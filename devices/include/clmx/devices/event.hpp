#pragma once

#include <memory>

namespace clmx {

struct EventState;

/// A point in a stream: complete when everything enqueued before it is.
class Event {
 public:
  Event() = default;  ///< complete from the start
  explicit Event(std::shared_ptr<EventState> state) : state_(std::move(state)) {}
  /// Whether wait() would return, or throw, at once.
  bool complete() const;
  /// Blocks the host. Throws DeviceError if the work before it failed.
  void wait() const;
  EventState* state() const { return state_.get(); }

 private:
  std::shared_ptr<EventState> state_;
};

}  // namespace clmx
