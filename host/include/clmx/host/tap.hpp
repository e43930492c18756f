#pragma once

#include <any>
#include <span>
#include <string_view>

#include "clmx/host/array.hpp"

namespace clmx {

/// Sees every op of its thread while a TapScope installs it: name, typed options (the op's options
/// struct), inputs and output. Normally there is none and an op pays one test of a pointer.
class Tap {
 public:
  virtual ~Tap() = default;
  virtual void op(std::string_view name, const std::any& options, std::span<const Array> inputs,
                  const Array& output) = 0;
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

}  // namespace clmx
