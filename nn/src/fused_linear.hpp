#pragma once

#include <optional>
#include <vector>

#include "route.hpp"

namespace clmx {

/// Quantized layers over the same input, joined row below row and run as one product. Each layer
/// keeps its place as a view of the joined rows, so nothing is held twice and names stay MLX's;
/// every row's product has the bits it had before.
class FusedLinear {
 public:
  FusedLinear() = default;
  /// Joins the layers when all are quantized alike; otherwise stays unusable.
  explicit FusedLinear(const std::vector<Slot<LinearLayer>*>& layers);
  /// The same over copies of the layers, which share the joined rows.
  FusedLinear over(std::vector<const Slot<LinearLayer>*> copies) const;
  /// Whether the layers are still those that were joined: loading or quantizing may replace them.
  bool usable() const;
  /// Of what product reads, see Module. Only when usable.
  void copy_to(const Stream& stream) const { whole_->copy_to(stream); }
  /// x: [..., in]. Result: [..., sum of out].
  Array product(const Array& x, DType dtype, const Route& route) const;

 private:
  std::vector<const Slot<LinearLayer>*> slots_;
  std::vector<const QuantizedWeightState*> joined_;
  std::optional<QuantizedLinear> whole_;
};

}  // namespace clmx
