#pragma once

#include <memory>
#include <optional>

#include "clmx/host/ops_quantized.hpp"
#include "clmx/nn/quantizable.hpp"
#include "clmx/nn/unary_layer.hpp"

namespace clmx {

/// A table of rows, looked up by id or multiplied by as an output layer with tied weights.
class EmbeddingLayer : public UnaryLayer {
 public:
  virtual std::int64_t count() const = 0;
  virtual std::int64_t dims() const = 0;
  /// ids: i32, u32 or u8, any shape; negative ones count from the end. Result: [ids.shape...,
  /// dims]. dtype absent: the table's (affine: that of the scales; floating modes: bf16). Ids that
  /// the host holds are checked: ArgumentError.
  virtual Array lookup(const Array& ids, std::optional<DType> dtype, StreamOrDevice s) const = 0;
  /// x: [..., dims] float. Result: x table^T, [..., count]; dtype absent: MLX's promotion.
  virtual Array project(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const = 0;
  Array forward(const Array& ids, StreamOrDevice s = {}) const final { return lookup(ids, {}, s); }
  Array as_linear(const Array& x, StreamOrDevice s = {}) const { return project(x, {}, s); }
};

class QuantizedEmbedding;

/// Dense table: [count, dims] float.
class Embedding final : public EmbeddingLayer, public Quantizable {
 public:
  /// Throws ArgumentError unless weight is a float matrix.
  explicit Embedding(Array weight);
  /// As MLX initialises: normal with deviation sqrt(1/dims), f32. The seed alone decides the
  /// numbers. Throws ArgumentError, naming embedding_count or dimensions, unless both are positive.
  static Embedding random(std::int64_t embedding_count, std::int64_t dimensions,
                          std::uint64_t seed);

  std::int64_t count() const override { return weight_.shape(0); }
  std::int64_t dims() const override { return weight_.shape(1); }
  Array lookup(const Array& ids, std::optional<DType> dtype, StreamOrDevice s) const override;
  Array project(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const override;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override { return std::make_unique<Embedding>(*this); }
  std::string describe() const override;
  using Quantizable::to_quantized;
  std::unique_ptr<Module> to_quantized(const QuantizationParams& params,
                                       StreamOrDevice s = {}) const override;
  /// The same with its type known.
  QuantizedEmbedding quantized(const QuantizationParams& params = {}, StreamOrDevice s = {}) const;
  const Array& weight() const { return weight_; }

 private:
  Array weight_;
};

/// Quantized table [count, dims]. Frozen from the start.
class QuantizedEmbedding final : public EmbeddingLayer, public Quantized {
 public:
  static constexpr int default_group_size = 64, default_bits = 4;  ///< of mode affine
  static constexpr QuantizationMode default_mode = QuantizationMode::affine;

  /// Throws ArgumentError when the weight is a stack.
  explicit QuantizedEmbedding(QuantizedWeight weight);
  /// Throws ArgumentError as quantize does.
  static QuantizedEmbedding from_embedding(const Embedding& embedding,
                                           const QuantizationParams& params = {},
                                           StreamOrDevice s = {});
  /// Over the quantized table of Embedding::random.
  static QuantizedEmbedding random(std::int64_t embedding_count, std::int64_t dimensions,
                                   std::uint64_t seed, const QuantizationParams& params = {},
                                   StreamOrDevice s = {});

  std::int64_t count() const override { return weight_.out_features(); }
  std::int64_t dims() const override { return weight_.in_features(); }
  Array lookup(const Array& ids, std::optional<DType> dtype, StreamOrDevice s) const override;
  Array project(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const override;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override {
    return std::make_unique<QuantizedEmbedding>(*this);
  }
  std::string describe() const override;
  /// The stored parts, which lookups read.
  void copy_to(const Stream& stream) const override;
  std::unique_ptr<Module> to_dense(std::optional<DType> dtype = {},
                                   StreamOrDevice s = {}) const override;
  /// Itself: quantizing again changes nothing.
  QuantizedEmbedding quantized(const QuantizationParams& /*params*/ = {},
                               StreamOrDevice /*s*/ = {}) const {
    return *this;
  }
  const QuantizedWeight& weight() const { return weight_; }
  const Array& scales() const { return weight_.scales(); }
  const std::optional<Array>& biases() const { return weight_.biases(); }  ///< affine only
  QuantizationMode mode() const { return weight_.params().mode; }
  int group_size() const { return weight_.params().group(); }
  int bits() const { return weight_.params().bit_count(); }

 private:
  QuantizedWeight weight_;
};

}  // namespace clmx
