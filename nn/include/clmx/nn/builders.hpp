#pragma once

#include <cstdint>
#include <optional>

#include "clmx/nn/embedding.hpp"
#include "clmx/nn/linear.hpp"
#include "clmx/nn/switch_linear.hpp"

namespace clmx {

/// Layers with initial values, field by field:
///
///   auto layer = QuantizedLinearBuilder().input_dims(512).output_dims(256).mode("mxfp4").build();
///
/// build throws ArgumentError, naming the field, for one that is missing or not positive, and as
/// quantize does. Fields without a default: the sizes. seed (default 0) decides the initial values:
/// two layers of one seed and equal sizes have equal weights.
class LinearBuilder {
 public:
  LinearBuilder& input_dims(std::int64_t n);
  LinearBuilder& output_dims(std::int64_t n);
  LinearBuilder& bias(bool on);
  LinearBuilder& seed(std::uint64_t seed);
  Linear build() const;

 private:
  std::optional<std::int64_t> input_dims_, output_dims_;
  bool bias_ = Linear::default_bias;
  std::uint64_t seed_ = 0;
};

class EmbeddingBuilder {
 public:
  EmbeddingBuilder& embedding_count(std::int64_t n);
  EmbeddingBuilder& dimensions(std::int64_t n);
  EmbeddingBuilder& seed(std::uint64_t seed);
  Embedding build() const;

 private:
  std::optional<std::int64_t> embedding_count_, dimensions_;
  std::uint64_t seed_ = 0;
};

/// group_size and bits absent: those of the mode (affine: 64 and 4).
class QuantizedLinearBuilder {
 public:
  QuantizedLinearBuilder& input_dims(std::int64_t n);
  QuantizedLinearBuilder& output_dims(std::int64_t n);
  QuantizedLinearBuilder& bias(bool on);
  QuantizedLinearBuilder& group_size(int n);
  QuantizedLinearBuilder& bits(int n);
  QuantizedLinearBuilder& mode(const ModeOrName& mode);
  QuantizedLinearBuilder& seed(std::uint64_t seed);
  QuantizedLinear build(StreamOrDevice s = {}) const;

 private:
  LinearBuilder dense_;
  QuantizationParams params_;
};

class QuantizedEmbeddingBuilder {
 public:
  QuantizedEmbeddingBuilder& embedding_count(std::int64_t n);
  QuantizedEmbeddingBuilder& dimensions(std::int64_t n);
  QuantizedEmbeddingBuilder& group_size(int n);
  QuantizedEmbeddingBuilder& bits(int n);
  QuantizedEmbeddingBuilder& mode(const ModeOrName& mode);
  QuantizedEmbeddingBuilder& seed(std::uint64_t seed);
  QuantizedEmbedding build(StreamOrDevice s = {}) const;

 private:
  EmbeddingBuilder dense_;
  QuantizationParams params_;
};

class SwitchLinearBuilder {
 public:
  SwitchLinearBuilder& input_dims(std::int64_t n);
  SwitchLinearBuilder& output_dims(std::int64_t n);
  SwitchLinearBuilder& num_experts(std::int64_t n);
  SwitchLinearBuilder& bias(bool on);
  SwitchLinearBuilder& seed(std::uint64_t seed);
  SwitchLinear build() const;

 private:
  std::optional<std::int64_t> input_dims_, output_dims_, num_experts_;
  bool bias_ = SwitchLinear::default_bias;
  std::uint64_t seed_ = 0;
};

class QuantizedSwitchLinearBuilder {
 public:
  QuantizedSwitchLinearBuilder& input_dims(std::int64_t n);
  QuantizedSwitchLinearBuilder& output_dims(std::int64_t n);
  QuantizedSwitchLinearBuilder& num_experts(std::int64_t n);
  QuantizedSwitchLinearBuilder& bias(bool on);
  QuantizedSwitchLinearBuilder& group_size(int n);
  QuantizedSwitchLinearBuilder& bits(int n);
  QuantizedSwitchLinearBuilder& mode(const ModeOrName& mode);
  QuantizedSwitchLinearBuilder& seed(std::uint64_t seed);
  QuantizedSwitchLinear build(StreamOrDevice s = {}) const;

 private:
  SwitchLinearBuilder dense_;
  QuantizationParams params_;
};

}  // namespace clmx
