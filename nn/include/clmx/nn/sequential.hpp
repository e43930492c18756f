#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "clmx/nn/unary_layer.hpp"

namespace clmx {

/// Layers one after the other, named layers.0, layers.1, ... as in MLX.
class Sequential final : public UnaryLayer {
 public:
  Sequential() = default;
  /// Sequential(Linear::random(...), GELU(), ...): copies of the layers. Of a Sequential alone: a
  /// copy of it.
  template <std::derived_from<UnaryLayer>... Layers>
  requires(sizeof...(Layers) > 0 &&
           !std::same_as<std::tuple<Layers...>,
                         std::tuple<Sequential>>) explicit Sequential(Layers... layers) {
    (add(std::make_unique<Layers>(std::move(layers))), ...);
  }
  /// Throws ArgumentError for null.
  Sequential& add(std::unique_ptr<UnaryLayer> layer);
  /// A copy of a layer.
  template <std::derived_from<UnaryLayer> Layer>
  Sequential& add(Layer layer) {
    return add(std::make_unique<Layer>(std::move(layer)));
  }
  std::size_t size() const { return layers_.size(); }
  /// Throws ArgumentError when there are not so many layers.
  UnaryLayer& operator[](std::size_t i) const;

  Array forward(const Array& x, StreamOrDevice s = {}) const override;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override { return std::make_unique<Sequential>(*this); }
  std::string describe() const override { return "Sequential"; }

 private:
  std::vector<Slot<UnaryLayer>> layers_;
};

}  // namespace clmx
