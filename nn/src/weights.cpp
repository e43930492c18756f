#include "weights.hpp"

#include "clmx/devices/error.hpp"

namespace clmx {

Array Weights::dense(const std::string& name, const Shape& shape) {
  Array array = from_.array(name);
  if (array.shape() != shape || !is_float(array.dtype())) {
    throw FormatError(from_.where(), 0,
                      join("tensor ", name, " is ", array.dtype(), ' ', array.shape(),
                           ", the model expects floats ", shape));
  }
  used_.insert(from_.listed_as(name));
  return array;
}

std::optional<QuantizedWeight> Weights::quantized(const std::string& path, std::int64_t rows,
                                                  std::int64_t columns) {
  if (!from_.has(path + ".weight")) {
    throw FormatError(from_.where(), 0, "tensor " + path + ".weight is missing");
  }
  std::optional<QuantizedWeight> weight = from_.quantized(path, columns);
  if (!weight) return weight;
  if (weight->out_features() != rows || weight->in_features() != columns ||
      weight->batch().rank() != 0) {
    throw FormatError(from_.where(), 0,
                      join("tensor ", path, ".weight is ", weight->batch(), " matrices of ",
                           weight->out_features(), " x ", weight->in_features(),
                           ", the model expects one of ", rows, " x ", columns));
  }
  for (const char* part : {".weight", ".scales", ".biases", ".global_scale"})
    used_.insert(from_.listed_as(path + part));
  return weight;
}

std::unique_ptr<LinearLayer> Weights::linear(const std::string& path, std::int64_t in,
                                             std::int64_t out) {
  std::optional<Array> bias;
  if (from_.has(path + ".bias")) bias = dense(path + ".bias", Shape{out});
  if (std::optional<QuantizedWeight> weight = quantized(path, out, in)) {
    return std::make_unique<QuantizedLinear>(std::move(*weight), std::move(bias));
  }
  return std::make_unique<Linear>(dense(path + ".weight", Shape{out, in}), std::move(bias));
}

std::unique_ptr<EmbeddingLayer> Weights::embedding(const std::string& path, std::int64_t count,
                                                   std::int64_t dims) {
  if (std::optional<QuantizedWeight> weight = quantized(path, count, dims)) {
    return std::make_unique<QuantizedEmbedding>(std::move(*weight));
  }
  return std::make_unique<Embedding>(dense(path + ".weight", Shape{count, dims}));
}

std::unique_ptr<RMSNorm> Weights::norm(const std::string& path, std::int64_t width, float eps) {
  return std::make_unique<RMSNorm>(dense(path + ".weight", Shape{width}), eps);
}

void Weights::ignore(const std::string& path) {
  for (const char* part : {".weight", ".scales", ".biases", ".bias"}) used_.insert(path + part);
}

LoadReport Weights::report() const {
  LoadReport report;
  for (const std::string& name : from_.names()) {
    const bool table = name.ends_with(".rotary_emb.inv_freq");  // old files: the config says it
    if (!used_.contains(name) && !table) report.unexpected.push_back(name);
  }
  return report;
}

}  // namespace clmx
