#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "clmx/host/array.hpp"
#include "clmx/host/quantization.hpp"

namespace clmx {

class Module;

/// A child that quantize() may replace by another layer of the same kind.
class SlotBase {
 public:
  virtual ~SlotBase() = default;
  virtual Module* module() const = 0;  ///< null when empty
  /// Whether the layer is of the slot's kind.
  virtual bool accepts(const Module* layer) const = 0;
  /// Throws ArgumentError when the replacement is not of the slot's kind.
  virtual void replace(std::unique_ptr<Module> replacement) = 0;

 protected:
  SlotBase() = default;
  SlotBase(const SlotBase&) = default;
  SlotBase(SlotBase&&) = default;
  SlotBase& operator=(const SlotBase&) = default;
  SlotBase& operator=(SlotBase&&) = default;
};

/// What Module::visit names the parts to: parameters and children, in order.
class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void parameter(std::string_view name, Array& value) = 0;
  /// The parameters weight, scales, (affine) biases and (nvfp4) global_scale, as far as given.
  virtual void quantized(QuantizedWeight& value) = 0;
  virtual void child(std::string_view name, Module& module) = 0;
  /// An empty slot is passed over.
  virtual void slot(std::string_view name, SlotBase& slot) = 0;

  /// What a file may hold besides: read if it is there, never missed, saved if there is a value.
  /// The loader leaves its shape for the module to check.
  virtual void extra(std::string_view name, std::optional<Array>& value) {
    optional_parameter(name, value);
  }

  /// An absent parameter is passed over.
  void optional_parameter(std::string_view name, std::optional<Array>& value) {
    if (value) parameter(name, *value);
  }
};

}  // namespace clmx
