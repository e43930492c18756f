#pragma once

#include "clmx/host/ops_transformer.hpp"
#include "clmx/nn/unary_layer.hpp"

namespace clmx {

/// Rotary positions as a layer without parameters. x: [..., heads, time, dim] float.
class RoPE final : public UnaryLayer {
 public:
  /// Throws ArgumentError unless dims is even and positive.
  explicit RoPE(int dims, bool traditional = false, double base = 10000, double scale = 1);
  /// With frequencies or another layout.
  explicit RoPE(RopeOptions options);

  Array forward(const Array& x, StreamOrDevice s = {}) const override { return forward(x, 0, s); }
  /// The first row is position offset.
  Array forward(const Array& x, std::int64_t offset, StreamOrDevice s = {}) const;
  void visit(Visitor& /*v*/) override {}
  std::unique_ptr<Module> clone() const override { return std::make_unique<RoPE>(*this); }
  std::string describe() const override;
  const RopeOptions& options() const { return options_; }

 private:
  RopeOptions options_;
};

}  // namespace clmx
