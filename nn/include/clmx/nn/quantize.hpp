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
/// Frozen keys and the mode of training pass on to the new layer. Returns how many were replaced.
/// All or nothing: throws ArgumentError, naming the layer's path, with the model as it was, when a
/// width does not divide, or a layer that is to be quantized is not Quantizable, not in a slot
/// (root itself, too: quantize(layer) gives a new one), or has a form that does not fit its slot.
int quantize(Module& root, const QuantizationParams& params = {}, StreamOrDevice s = {});
int quantize(Module& root, const QuantizationParams& params, const QuantizePredicate& predicate,
             StreamOrDevice s = {});
/// MLX's spelling: quantize(model, 64, 4, "affine", predicate); absent sizes are the mode's.
int quantize(Module& root, std::optional<int> group_size, std::optional<int> bits,
             ModeOrName mode = QuantizationMode::affine, const QuantizePredicate& predicate = {},
             StreamOrDevice s = {});
/// The inverse: puts a dense layer, in `dtype` (absent: of the scales, or bf16), in the place of
/// every quantized one; biases of layers keep their dtype (Module::set_dtype casts all). Returns
/// how many were replaced; all or nothing as above.
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
  auto result = layer.quantized(params, s);
  result.take_modes(layer);
  return result;
}

/// The quantized form of a layer that only its base is known of, a copy of a quantized one, or a
/// copy of a model with its layers quantized. Throws ArgumentError when there is no such form.
std::unique_ptr<Module> quantized_copy(const Module& layer, const QuantizationParams& params = {},
                                       StreamOrDevice s = {});
/// The same in MLX's words; absent sizes are the mode's.
std::unique_ptr<Module> quantized_copy(const Module& layer, std::optional<int> group_size,
                                       std::optional<int> bits,
                                       ModeOrName mode = QuantizationMode::affine,
                                       StreamOrDevice s = {});

/// Of what an owning pointer holds; null gives null.
template <TypedQuantizable Layer>
auto quantize(const std::unique_ptr<Layer>& layer, const QuantizationParams& params = {},
              StreamOrDevice s = {}) {
  using Result = decltype(quantize(*layer, params, s));
  return layer ? std::make_unique<Result>(quantize(*layer, params, s)) : std::unique_ptr<Result>();
}

/// The same by a base, LinearLayer or Module: the result is a layer of that base, else
/// ArgumentError.
template <std::derived_from<Module> Base>
requires(!TypedQuantizable<Base>) std::unique_ptr<Base> quantize(
    const std::unique_ptr<Base>& layer, const QuantizationParams& params = {},
    StreamOrDevice s = {}) {
  if (!layer) return {};
  std::unique_ptr<Module> made = quantized_copy(*layer, params, s);
  auto* const typed = dynamic_cast<Base*>(made.get());
  require(typed != nullptr, "quantize", made->describe(), " is no layer of the pointer's type");
  static_cast<void>(made.release());
  return std::unique_ptr<Base>(typed);
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

/// What the functions above take besides a model: a layer, or a pointer, optional or vector of
/// some.
template <class Layers>
inline constexpr bool is_quantizable = TypedQuantizable<Layers>;
template <std::derived_from<Module> Base>
inline constexpr bool is_quantizable<std::unique_ptr<Base>> = true;
template <class Layer>
inline constexpr bool is_quantizable<std::optional<Layer>> = TypedQuantizable<Layer>;
template <class Element>
inline constexpr bool is_quantizable<std::vector<Element>> = is_quantizable<Element>;

/// MLX's spelling of them: quantize(layer, 64, 4, "affine").
template <class Layers>
requires is_quantizable<Layers>
auto quantize(const Layers& layers, std::optional<int> group_size, std::optional<int> bits,
              ModeOrName mode = QuantizationMode::affine, StreamOrDevice s = {}) {
  return quantize(layers, QuantizationParams{mode.resolve("quantize"), group_size, bits}, s);
}

}  // namespace clmx
