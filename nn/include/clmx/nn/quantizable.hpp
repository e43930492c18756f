#pragma once

#include <memory>
#include <optional>

#include "clmx/host/quantization.hpp"
#include "clmx/host/stream_or_device.hpp"
#include "clmx/nn/module.hpp"

namespace clmx {

/// A layer that has a quantized form. A user's own layer takes part in quantize(module) by deriving
/// from this besides Module.
class Quantizable {
 public:
  virtual ~Quantizable() = default;
  /// The same layer over quantized weights, never null; the layer itself stays as it is. Throws
  /// ArgumentError as quantize does, for a width that the groups do not divide.
  virtual std::unique_ptr<Module> to_quantized(const QuantizationParams& params,
                                               StreamOrDevice s = {}) const = 0;
  /// The same in MLX's words; absent sizes are the mode's.
  std::unique_ptr<Module> to_quantized(std::optional<int> group_size, std::optional<int> bits,
                                       ModeOrName mode = QuantizationMode::affine,
                                       StreamOrDevice s = {}) const {
    return to_quantized({mode.resolve("to_quantized"), group_size, bits}, s);
  }

 protected:
  Quantizable() = default;
  Quantizable(const Quantizable&) = default;
  Quantizable(Quantizable&&) = default;
  Quantizable& operator=(const Quantizable&) = default;
  Quantizable& operator=(Quantizable&&) = default;
};

/// A layer over quantized weights: quantize(module) leaves it alone, dequantize(module) replaces
/// it, and all its parameters are frozen, unless it says otherwise (Module::always_frozen). A
/// user's own layer derives from this besides Module.
class Quantized {
 public:
  virtual ~Quantized() = default;
  /// The dense layer over the dequantized weight, in `dtype`; absent: the type of the scales
  /// (affine) or bf16. A bias stays as it is. Never null.
  virtual std::unique_ptr<Module> to_dense(std::optional<DType> dtype = {},
                                           StreamOrDevice s = {}) const = 0;

 protected:
  Quantized() = default;
  Quantized(const Quantized&) = default;
  Quantized(Quantized&&) = default;
  Quantized& operator=(const Quantized&) = default;
  Quantized& operator=(Quantized&&) = default;
};

}  // namespace clmx
