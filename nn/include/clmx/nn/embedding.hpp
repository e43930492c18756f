#pragma once

#include <memory>
#include <optional>

#include "clmx/host/ops_quantized.hpp"
#include "clmx/nn/module.hpp"

namespace clmx {

/// A table of rows, looked up by id or multiplied by as an output layer with tied weights.
class EmbeddingLayer : public Module {
 public:
  virtual std::int64_t count() const = 0;
  virtual std::int64_t dims() const = 0;
  /// ids: i32 or u32, any shape; negative ones count from the end. Result: [ids.shape..., dims].
  /// dtype absent: the table's (affine: that of the scales; floating modes: bf16). Ids that the
  /// host holds are checked: ArgumentError.
  virtual Array lookup(const Array& ids, std::optional<DType> dtype, StreamOrDevice s) const = 0;
  /// x: [..., dims] float. Result: x table^T, [..., count]; dtype absent: MLX's promotion.
  virtual Array project(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const = 0;
  Array forward(const Array& ids, StreamOrDevice s = {}) const { return lookup(ids, {}, s); }
  Array as_linear(const Array& x, StreamOrDevice s = {}) const { return project(x, {}, s); }
};

/// Dense table: [count, dims] float.
class Embedding final : public EmbeddingLayer {
 public:
  /// Throws ArgumentError unless weight is a float matrix.
  explicit Embedding(Array weight);
  /// Normal with deviation sqrt(1/dims), as MLX initialises. For tests and benchmarks.
  static std::unique_ptr<Embedding> random(std::int64_t count, std::int64_t dims,
                                           std::uint64_t seed);

  std::int64_t count() const override { return weight_.shape(0); }
  std::int64_t dims() const override { return weight_.shape(1); }
  Array lookup(const Array& ids, std::optional<DType> dtype, StreamOrDevice s) const override;
  Array project(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const override;
  void visit(Visitor& v) override;
  std::unique_ptr<Module> to_quantized(const QuantizationParams& params,
                                       StreamOrDevice s = {}) const override;

 private:
  Array weight_;
};

/// Quantized table [count, dims].
class QuantizedEmbedding final : public EmbeddingLayer {
 public:
  explicit QuantizedEmbedding(QuantizedWeight weight) : weight_(std::move(weight)) {}

  std::int64_t count() const override { return weight_.out_features(); }
  std::int64_t dims() const override { return weight_.in_features(); }
  Array lookup(const Array& ids, std::optional<DType> dtype, StreamOrDevice s) const override;
  Array project(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const override;
  void visit(Visitor& v) override;
  bool always_frozen() const override { return true; }
  const QuantizedWeight& weight() const { return weight_; }

 private:
  QuantizedWeight weight_;
};

}  // namespace clmx
