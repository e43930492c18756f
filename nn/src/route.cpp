#include "route.hpp"

namespace clmx {

Route route_of(const Placement::Entry* entry, const Stream& otherwise) {
  if (entry == nullptr) return {otherwise};
  return {entry->where.front().where.resolve(), entry->where};
}

Array product_on(const LinearLayer& layer, const Array& x, DType dtype, const Route& route) {
  const auto* const quantized = dynamic_cast<const QuantizedLinear*>(&layer);
  if (route.shares.size() < 2 || quantized == nullptr) return layer.product(x, dtype, route.stream);
  return quantized_matmul(x, quantized->weight(), {.bias = quantized->bias(), .dtype = dtype},
                          route.shares, route.stream);
}

}  // namespace clmx
