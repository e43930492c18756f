#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <string_view>

#include "clmx/nn/module.hpp"

namespace clmx {

/// Parameters for the layer at path; absent: leave it as it is.
using QuantizePredicate =
    std::function<std::optional<QuantizationParams>(std::string_view path, const Module& layer)>;

/// Replaces every layer below root that has a quantized form (Linear, Embedding) by it, in place;
/// layers already quantized are left alone. Returns how many were replaced. Throws ArgumentError,
/// naming the layer, when its width does not divide or the predicate names parameters for a layer
/// without a quantized form.
int quantize(Module& root, const QuantizationParams& params = {}, StreamOrDevice s = {});
int quantize_by(Module& root, const QuantizePredicate& predicate, StreamOrDevice s = {});
template <std::convertible_to<QuantizePredicate> Predicate>
int quantize(Module& root, const Predicate& predicate, StreamOrDevice s = {}) {
  return quantize_by(root, predicate, s);
}

}  // namespace clmx
