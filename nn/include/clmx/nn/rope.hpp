#pragma once

#include <vector>

#include "clmx/host/ops_transformer.hpp"
#include "clmx/nn/unary_layer.hpp"

namespace clmx {

/// Rotary positions as a layer without parameters. x: [..., heads, time, dim] float.
class RoPE final : public UnaryLayer {
 public:
  /// Throws ArgumentError unless dims is even and positive, base positive and finite, scale finite
  /// and not zero.
  explicit RoPE(int dims, bool traditional = false, double base = 10000, double scale = 1);
  /// With frequencies, another layout or offsets.
  explicit RoPE(RopeOptions options);

  Array forward(const Array& x, StreamOrDevice s = {}) const override { return forward(x, 0, s); }
  /// The first row is position offset, which is added to what the options have.
  Array forward(const Array& x, std::int64_t offset, StreamOrDevice s = {}) const;
  /// One offset for each entry of x's first axis, or one for all. Throws ArgumentError for another
  /// number of them, and when the options have some of their own.
  Array forward(const Array& x, const std::vector<std::int64_t>& offsets,
                StreamOrDevice s = {}) const;
  void visit(Visitor& /*v*/) override {}
  std::unique_ptr<Module> clone() const override { return std::make_unique<RoPE>(*this); }
  std::string describe() const override;
  const RopeOptions& options() const { return options_; }

 private:
  RopeOptions options_;
};

/// The options with `by` added to every offset.
RopeOptions moved(RopeOptions options, std::int64_t by);

}  // namespace clmx
