#include "clmx/nn/builders.hpp"

#include "clmx/devices/error.hpp"
#include "random_values.hpp"

namespace clmx {
namespace {

std::int64_t given(const std::optional<std::int64_t>& value, const char* layer, const char* field) {
  require(value.has_value(), layer, field, " is missing");
  require_positive(*value, layer, field);
  return *value;
}

void check_sizes(const QuantizationParams& params, const char* layer) {
  if (params.group_size) require_positive(*params.group_size, layer, "group_size");
  if (params.bits) require_positive(*params.bits, layer, "bits");
}

}  // namespace

LinearBuilder& LinearBuilder::input_dims(std::int64_t n) {
  input_dims_ = n;
  return *this;
}

LinearBuilder& LinearBuilder::output_dims(std::int64_t n) {
  output_dims_ = n;
  return *this;
}

LinearBuilder& LinearBuilder::bias(bool on) {
  bias_ = on;
  return *this;
}

LinearBuilder& LinearBuilder::seed(std::uint64_t seed) {
  seed_ = seed;
  return *this;
}

Linear LinearBuilder::build() const {
  return Linear::random(given(input_dims_, "Linear", "input_dims"),
                        given(output_dims_, "Linear", "output_dims"), seed_, bias_);
}

EmbeddingBuilder& EmbeddingBuilder::embedding_count(std::int64_t n) {
  embedding_count_ = n;
  return *this;
}

EmbeddingBuilder& EmbeddingBuilder::dimensions(std::int64_t n) {
  dimensions_ = n;
  return *this;
}

EmbeddingBuilder& EmbeddingBuilder::seed(std::uint64_t seed) {
  seed_ = seed;
  return *this;
}

Embedding EmbeddingBuilder::build() const {
  return Embedding::random(given(embedding_count_, "Embedding", "embedding_count"),
                           given(dimensions_, "Embedding", "dimensions"), seed_);
}

QuantizedLinearBuilder& QuantizedLinearBuilder::input_dims(std::int64_t n) {
  dense_.input_dims(n);
  return *this;
}

QuantizedLinearBuilder& QuantizedLinearBuilder::output_dims(std::int64_t n) {
  dense_.output_dims(n);
  return *this;
}

QuantizedLinearBuilder& QuantizedLinearBuilder::bias(bool on) {
  dense_.bias(on);
  return *this;
}

QuantizedLinearBuilder& QuantizedLinearBuilder::group_size(int n) {
  params_.group_size = n;
  return *this;
}

QuantizedLinearBuilder& QuantizedLinearBuilder::bits(int n) {
  params_.bits = n;
  return *this;
}

QuantizedLinearBuilder& QuantizedLinearBuilder::mode(const ModeOrName& mode) {
  params_.mode = mode.resolve("QuantizedLinear");
  return *this;
}

QuantizedLinearBuilder& QuantizedLinearBuilder::seed(std::uint64_t seed) {
  dense_.seed(seed);
  return *this;
}

QuantizedLinear QuantizedLinearBuilder::build(StreamOrDevice s) const {
  check_sizes(params_, "QuantizedLinear");
  return dense_.build().quantized(params_, s);
}

QuantizedEmbeddingBuilder& QuantizedEmbeddingBuilder::embedding_count(std::int64_t n) {
  dense_.embedding_count(n);
  return *this;
}

QuantizedEmbeddingBuilder& QuantizedEmbeddingBuilder::dimensions(std::int64_t n) {
  dense_.dimensions(n);
  return *this;
}

QuantizedEmbeddingBuilder& QuantizedEmbeddingBuilder::group_size(int n) {
  params_.group_size = n;
  return *this;
}

QuantizedEmbeddingBuilder& QuantizedEmbeddingBuilder::bits(int n) {
  params_.bits = n;
  return *this;
}

QuantizedEmbeddingBuilder& QuantizedEmbeddingBuilder::mode(const ModeOrName& mode) {
  params_.mode = mode.resolve("QuantizedEmbedding");
  return *this;
}

QuantizedEmbeddingBuilder& QuantizedEmbeddingBuilder::seed(std::uint64_t seed) {
  dense_.seed(seed);
  return *this;
}

QuantizedEmbedding QuantizedEmbeddingBuilder::build(StreamOrDevice s) const {
  check_sizes(params_, "QuantizedEmbedding");
  return dense_.build().quantized(params_, s);
}

SwitchLinearBuilder& SwitchLinearBuilder::input_dims(std::int64_t n) {
  input_dims_ = n;
  return *this;
}

SwitchLinearBuilder& SwitchLinearBuilder::output_dims(std::int64_t n) {
  output_dims_ = n;
  return *this;
}

SwitchLinearBuilder& SwitchLinearBuilder::num_experts(std::int64_t n) {
  num_experts_ = n;
  return *this;
}

SwitchLinearBuilder& SwitchLinearBuilder::bias(bool on) {
  bias_ = on;
  return *this;
}

SwitchLinearBuilder& SwitchLinearBuilder::seed(std::uint64_t seed) {
  seed_ = seed;
  return *this;
}

SwitchLinear SwitchLinearBuilder::build() const {
  return SwitchLinear::random(given(input_dims_, "SwitchLinear", "input_dims"),
                              given(output_dims_, "SwitchLinear", "output_dims"),
                              given(num_experts_, "SwitchLinear", "num_experts"), seed_, bias_);
}

QuantizedSwitchLinearBuilder& QuantizedSwitchLinearBuilder::input_dims(std::int64_t n) {
  dense_.input_dims(n);
  return *this;
}

QuantizedSwitchLinearBuilder& QuantizedSwitchLinearBuilder::output_dims(std::int64_t n) {
  dense_.output_dims(n);
  return *this;
}

QuantizedSwitchLinearBuilder& QuantizedSwitchLinearBuilder::num_experts(std::int64_t n) {
  dense_.num_experts(n);
  return *this;
}

QuantizedSwitchLinearBuilder& QuantizedSwitchLinearBuilder::bias(bool on) {
  dense_.bias(on);
  return *this;
}

QuantizedSwitchLinearBuilder& QuantizedSwitchLinearBuilder::group_size(int n) {
  params_.group_size = n;
  return *this;
}

QuantizedSwitchLinearBuilder& QuantizedSwitchLinearBuilder::bits(int n) {
  params_.bits = n;
  return *this;
}

QuantizedSwitchLinearBuilder& QuantizedSwitchLinearBuilder::mode(const ModeOrName& mode) {
  params_.mode = mode.resolve("QuantizedSwitchLinear");
  return *this;
}

QuantizedSwitchLinearBuilder& QuantizedSwitchLinearBuilder::seed(std::uint64_t seed) {
  dense_.seed(seed);
  return *this;
}

QuantizedSwitchLinear QuantizedSwitchLinearBuilder::build(StreamOrDevice s) const {
  check_sizes(params_, "QuantizedSwitchLinear");
  return dense_.build().quantized(params_, s);
}

}  // namespace clmx
