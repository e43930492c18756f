#pragma once

#include <cstdint>
#include <mutex>

#include "clmx/host/ops_transformer.hpp"

namespace clmx {

/// The rotary table of a model, made longer by doubling as a sequence grows: a long context costs
/// nothing before it is used. Entries do not depend on the table's length.
class RopePositions {
 public:
  RopePositions(RopeOptions options, std::int64_t context)
      : options_(std::move(options)), context_(context) {}
  /// The table is made anew when asked for.
  RopePositions(const RopePositions& other) : RopePositions(other.options_, other.context_) {}
  /// A table of at least `positions` positions (at most the context).
  RopeTable at_least(std::int64_t positions);

 private:
  RopeOptions options_;
  std::int64_t context_;
  std::mutex mutex_;
  std::int64_t length_ = 0;
  RopeTable table_;
};

}  // namespace clmx
