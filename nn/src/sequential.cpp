#include "clmx/nn/sequential.hpp"

namespace clmx {

Sequential& Sequential::add(std::unique_ptr<UnaryLayer> layer) {
  require(layer != nullptr, "Sequential", "no layer is given");
  layers_.emplace_back(std::move(layer));
  return *this;
}

UnaryLayer& Sequential::operator[](std::size_t i) const {
  require(i < layers_.size(), "Sequential", "there is no layer ", i, ", only ", layers_.size());
  return *layers_[i];
}

Array Sequential::forward(const Array& x, StreamOrDevice s) const {
  Array y = x;
  for (const Slot<UnaryLayer>& layer : layers_) y = layer->forward(y, s);
  return y;
}

void Sequential::visit(Visitor& v) {
  for (std::size_t i = 0; i < layers_.size(); ++i) v.slot(join("layers.", i), layers_[i]);
}

}  // namespace clmx
