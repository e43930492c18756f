#include "clmx/nn/embedding.hpp"

#include <cmath>

#include "as_dtype.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "random_values.hpp"

namespace clmx {

Embedding::Embedding(Array weight) : weight_(std::move(weight)) {
  require(weight_.rank() == 2 && is_float(weight_.dtype()), "Embedding",
          "weight must be a float matrix, not ", weight_.dtype(), ' ', weight_.shape());
}

std::unique_ptr<Embedding> Embedding::random(std::int64_t count, std::int64_t dims,
                                             std::uint64_t seed) {
  const Shape shape{count, dims};
  const float deviation = 1.0f / std::sqrt(static_cast<float>(dims));
  return std::make_unique<Embedding>(Array::from(
      normal_values(static_cast<std::size_t>(shape.elements()), deviation, seed), shape));
}

Array Embedding::lookup(const Array& ids, std::optional<DType> dtype, StreamOrDevice s) const {
  return as_dtype(gather(weight_, ids, s), dtype, s);
}

Array Embedding::project(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const {
  return as_dtype(matmul(x, weight_, true, s), dtype, s);
}

void Embedding::visit(Visitor& v) {
  v.parameter("weight", weight_);
}

std::unique_ptr<Module> Embedding::to_quantized(const QuantizationParams& params,
                                                StreamOrDevice s) const {
  return std::make_unique<QuantizedEmbedding>(quantize(weight_, params, s));
}

Array QuantizedEmbedding::lookup(const Array& ids, std::optional<DType> dtype,
                                 StreamOrDevice s) const {
  if (!dtype) return gather_dequantize(ids, weight_, {}, s);
  // Through f32, so that a row is rounded to dtype once, never to the file's type first.
  return as_dtype(gather_dequantize(ids, weight_, DType::f32, s), dtype, s);
}

Array QuantizedEmbedding::project(const Array& x, std::optional<DType> dtype,
                                  StreamOrDevice s) const {
  return quantized_matmul(x, weight_, {.dtype = dtype}, s);
}

void QuantizedEmbedding::visit(Visitor& v) {
  v.quantized(weight_);
}

}  // namespace clmx
