#pragma once

#include <any>
#include <span>
#include <string>
#include <string_view>

#include "clmx/host/array.hpp"

namespace clmx {

/// An array that went from one device to another.
struct DeviceTransfer {
  Device from, to;
  std::size_t bytes = 0;
  bool shared = false;  ///< the same host pages serve both devices: nothing was copied
};

/// Sees every op of its thread while a TapScope installs it: name, typed options (the op's options
/// struct), inputs and output. Normally there is none and an op pays one test of a pointer.
class Tap {
 public:
  virtual ~Tap() = default;
  virtual void op(std::string_view name, const std::any& options, std::span<const Array> inputs,
                  const Array& output) = 0;
  /// A model comes to a part of it: the module's path, "model.layers.3.mlp". What follows belongs
  /// to it.
  virtual void part(std::string_view) {}
  /// An argument of the next op had to move.
  virtual void transfer(const DeviceTransfer&) {}
};
class TapScope {
 public:
  explicit TapScope(Tap& tap);
  ~TapScope();
  TapScope(const TapScope&) = delete;
  TapScope& operator=(const TapScope&) = delete;

 private:
  Tap* outer_;
};

/// The tap of this thread, or null.
Tap* current_tap();

}  // namespace clmx
