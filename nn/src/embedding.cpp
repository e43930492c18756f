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

Embedding Embedding::random(std::int64_t embedding_count, std::int64_t dimensions,
                            std::uint64_t seed) {
  require_positive(embedding_count, "Embedding", "embedding_count");
  require_positive(dimensions, "Embedding", "dimensions");
  const float deviation = 1.0f / std::sqrt(static_cast<float>(dimensions));
  return Embedding(normal_array({embedding_count, dimensions}, deviation, seed));
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

std::string Embedding::describe() const {
  return join("Embedding(embedding_count=", count(), ", dimensions=", dims(), ")");
}

std::unique_ptr<Module> Embedding::to_quantized(const QuantizationParams& params,
                                                StreamOrDevice s) const {
  return std::make_unique<QuantizedEmbedding>(quantized(params, s));
}

QuantizedEmbedding Embedding::quantized(const QuantizationParams& params, StreamOrDevice s) const {
  require(dims() > 0, "Embedding", "rows of width 0 have no quantized form");
  return QuantizedEmbedding(quantize(weight_, params, s));
}

QuantizedEmbedding::QuantizedEmbedding(QuantizedWeight weight) : weight_(std::move(weight)) {
  require(weight_.batch().rank() == 0, "QuantizedEmbedding", "the weight must be a matrix, not ",
          weight_.packed().shape());
}

QuantizedEmbedding QuantizedEmbedding::from_embedding(const Embedding& embedding,
                                                      const QuantizationParams& params,
                                                      StreamOrDevice s) {
  return embedding.quantized(params, s);
}

QuantizedEmbedding QuantizedEmbedding::random(std::int64_t embedding_count, std::int64_t dimensions,
                                              std::uint64_t seed, const QuantizationParams& params,
                                              StreamOrDevice s) {
  return Embedding::random(embedding_count, dimensions, seed).quantized(params, s);
}

Array QuantizedEmbedding::lookup(const Array& ids, std::optional<DType> dtype,
                                 StreamOrDevice s) const {
  if (!dtype) return gather_dequantize(ids, weight_, {}, s);
  // Through f32, so that a row is rounded to dtype once, never to the file's type first.
  return as_dtype(gather_dequantize(ids, weight_, DType::f32, s), dtype, s);
}

Array QuantizedEmbedding::project(const Array& x, std::optional<DType> dtype,
                                  StreamOrDevice s) const {
  require(is_float(x.dtype()), "QuantizedEmbedding", "x must be float, not ", x.dtype());
  return quantized_matmul(x, weight_, {.dtype = dtype}, s);
}

void QuantizedEmbedding::copy_to(const Stream& stream) const {
  copy_table(weight_, stream);
}

void QuantizedEmbedding::visit(Visitor& v) {
  v.quantized(weight_);
}

std::string QuantizedEmbedding::describe() const {
  return join("QuantizedEmbedding(embedding_count=", count(), ", dimensions=", dims(),
              ", group_size=", group_size(), ", bits=", bits(), ", mode=", mode(), ")");
}

std::unique_ptr<Module> QuantizedEmbedding::to_dense(std::optional<DType> dtype,
                                                     StreamOrDevice s) const {
  return std::make_unique<Embedding>(dequantize(weight_, dtype, s));
}

}  // namespace clmx
