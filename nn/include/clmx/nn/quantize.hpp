#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "clmx/nn/embedding.hpp"
#include "clmx/nn/linear.hpp"

namespace clmx {

/// What a predicate says of a layer: false, leave it; true, quantize it by the parameters of the
/// call; or parameters of its own, of which nothing is inherited from the call (as in MLX: absent
/// ones are the defaults of their mode).
using QuantizeChoice = std::variant<bool, QuantizationParams>;
/// Asked for every layer without children that is not quantized yet, by its path from the root.
using QuantizePredicate = std::function<QuantizeChoice(std::string_view path, const Module& layer)>;

/// Replaces every layer in a slot below root that is Quantizable (Linear, Embedding, a user's own)
/// by its quantized form; quantized layers are left alone, so doing it again changes nothing.
/// Returns how many were replaced. All or nothing: throws ArgumentError, naming the layer's path,
/// with the model as it was, when a width does not divide, or a layer that is to be quantized is
/// not Quantizable, not in a slot, or has a form that does not fit its slot.
int quantize(Module& root, const QuantizationParams& params = {}, StreamOrDevice s = {});
int quantize(Module& root, const QuantizationParams& params, const QuantizePredicate& predicate,
             StreamOrDevice s = {});
/// MLX's spelling: quantize(model, 64, 4, "affine", predicate).
template <std::same_as<int> Size>
int quantize(Module& root, Size group_size, Size bits, ModeOrName mode = QuantizationMode::affine,
             const QuantizePredicate& predicate = {}, StreamOrDevice s = {}) {
  return quantize(root, {mode.resolve("quantize"), group_size, bits}, predicate, s);
}
/// The inverse: puts a dense layer, in `dtype` (absent: of the scales, or bf16), in the place of
/// every quantized one. Returns how many were replaced; all or nothing as above.
int dequantize(Module& root, std::optional<DType> dtype = {}, StreamOrDevice s = {});

/// A layer whose quantized type is known: Linear, Embedding, and those quantized already.
template <class Layer>
concept TypedQuantizable = requires(const Layer& layer, const QuantizationParams& params) {
  layer.quantized(params, StreamOrDevice{});
};

/// The quantized form of one layer: QuantizedLinear of a Linear, itself of a QuantizedLinear.
/// Throws ArgumentError as quantize of its weight does.
template <TypedQuantizable Layer>
auto quantize(const Layer& layer, const QuantizationParams& params = {}, StreamOrDevice s = {}) {
  return layer.quantized(params, s);
}

/// Of what an owning pointer holds; null gives null.
template <TypedQuantizable Layer>
auto quantize(const std::unique_ptr<Layer>& layer, const QuantizationParams& params = {},
              StreamOrDevice s = {}) {
  using Result = decltype(quantize(*layer, params, s));
  return layer ? std::make_unique<Result>(quantize(*layer, params, s)) : std::unique_ptr<Result>();
}

/// Of what an optional holds, if anything.
template <TypedQuantizable Layer>
auto quantize(const std::optional<Layer>& layer, const QuantizationParams& params = {},
              StreamOrDevice s = {}) {
  using Result = decltype(quantize(*layer, params, s));
  return layer ? std::optional<Result>(quantize(*layer, params, s)) : std::optional<Result>();
}

/// Of every element: layers, optional ones or owning pointers.
template <class Element>
auto quantize(const std::vector<Element>& layers, const QuantizationParams& params = {},
              StreamOrDevice s = {}) {
  std::vector<decltype(quantize(layers.front(), params, s))> result;
  result.reserve(layers.size());
  for (const Element& layer : layers) result.push_back(quantize(layer, params, s));
  return result;
}

}  // namespace clmx
