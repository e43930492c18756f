#pragma once

#include <variant>

#include "clmx/devices/device.hpp"
#include "clmx/devices/stream.hpp"

namespace clmx {

/// Where an op runs, the last parameter of every op: an explicit stream, else the default stream of
/// an explicit device, else the innermost StreamScope of this thread, else the default device's
/// default stream.
class StreamOrDevice {
 public:
  StreamOrDevice() = default;
  StreamOrDevice(const Stream& stream) : where_(stream) {}  // NOLINT(google-explicit-constructor)
  StreamOrDevice(const Device& device) : where_(device) {}  // NOLINT(google-explicit-constructor)
  /// Throws DeviceNotFound when the default is needed and there is none.
  Stream resolve() const;

 private:
  std::variant<std::monostate, Stream, Device> where_;
};

/// While it lives, ops of this thread that name no stream run on this one. Scopes nest.
class StreamScope {
 public:
  explicit StreamScope(const StreamOrDevice& s);
  ~StreamScope();
  StreamScope(const StreamScope&) = delete;
  StreamScope& operator=(const StreamScope&) = delete;

 private:
  Stream stream_;
  const StreamScope* outer_;
  friend class StreamOrDevice;
};

}  // namespace clmx
