#pragma once

#include "clmx/nn/module.hpp"

namespace clmx {

/// A layer whose forward takes one array and gives one: what Sequential strings together.
class UnaryLayer : public Module {
 public:
  virtual Array forward(const Array& x, StreamOrDevice s = {}) const = 0;
};

}  // namespace clmx
