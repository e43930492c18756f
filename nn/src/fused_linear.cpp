#include "fused_linear.hpp"

#include <memory>

namespace clmx {
namespace {

const QuantizedLinear* quantized(const Slot<LinearLayer>& slot) {
  return dynamic_cast<const QuantizedLinear*>(slot.module());
}

bool alike(const QuantizedLinear& a, const QuantizedLinear& b) {
  const QuantizationParams &p = a.weight().params(), &q = b.weight().params();
  const bool same_bias = a.bias().has_value() == b.bias().has_value() &&
                         (!a.bias() || a.bias()->dtype() == b.bias()->dtype());
  return p.mode == q.mode && p.group() == q.group() && p.bit_count() == q.bit_count() &&
         a.in_features() == b.in_features() &&
         a.weight().scales().dtype() == b.weight().scales().dtype() && same_bias;
}

std::optional<Array> joined_bias(const std::vector<const QuantizedLinear*>& layers) {
  if (!layers.front()->bias()) return {};
  std::vector<std::byte> bytes;
  std::int64_t rows = 0;
  for (const QuantizedLinear* layer : layers) {
    const std::size_t begin = bytes.size();
    bytes.resize(begin + layer->bias()->bytes());
    layer->bias()->read(std::span(bytes).subspan(begin));
    rows += layer->out_features();
  }
  return Array::from_bytes(bytes, Shape{rows}, layers.front()->bias()->dtype());
}

QuantizedWeight rows_of(const QuantizedWeight& w, std::int64_t begin, std::int64_t end) {
  std::optional<Array> biases;
  if (w.biases()) biases = w.biases()->rows(begin, end);
  return {w.packed().rows(begin, end), w.scales().rows(begin, end), biases, w.params()};
}

}  // namespace

FusedLinear::FusedLinear(const std::vector<Slot<LinearLayer>*>& layers) {
  std::vector<const QuantizedLinear*> parts;
  std::vector<QuantizedWeight> weights;
  for (const Slot<LinearLayer>* slot : layers) {
    const QuantizedLinear* part = quantized(*slot);
    // A global scale is of one matrix: joined rows would have several.
    if (part == nullptr || part->weight().global_scale() ||
        (!parts.empty() && !alike(*parts.front(), *part)))
      return;
    parts.push_back(part);
    weights.push_back(part->weight());
  }
  whole_.emplace(QuantizedWeight::concatenate(weights), joined_bias(parts));
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::int64_t end = begin + parts[i]->out_features();
    auto view =
        std::make_unique<QuantizedLinear>(rows_of(whole_->weight(), begin, end), parts[i]->bias());
    slots_.push_back(layers[i]);
    joined_.push_back(view->weight().state());
    layers[i]->replace(std::move(view));
    begin = end;
  }
}

FusedLinear FusedLinear::over(std::vector<const Slot<LinearLayer>*> copies) const {
  FusedLinear result(*this);
  if (whole_) result.slots_ = std::move(copies);
  return result;
}

bool FusedLinear::usable() const {
  if (!whole_) return false;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const QuantizedLinear* layer = quantized(*slots_[i]);
    if (layer == nullptr || layer->weight().state() != joined_[i]) return false;
  }
  return true;
}

Array FusedLinear::product(const Array& x, DType dtype, const Route& route) const {
  return product_on(*whole_, x, dtype, route);
}

}  // namespace clmx
