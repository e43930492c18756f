#pragma once

#include <functional>

#include "clmx/nn/switch_linear.hpp"

namespace clmx {

/// act(gate, up) of a gated layer: swiglu, or clipped_swiglu for models like GPT-OSS.
using GatedActivation = std::function<Array(const Array& gate, const Array& up, StreamOrDevice s)>;

/// The experts of a mixture: down_proj(act(gate_proj(x), up_proj(x))) with mlx-lm's names, which
/// quantize(module) replaces.
class SwitchGLU final : public Module {
 public:
  static constexpr bool default_bias = false;
  /// From this many indices on tokens are sorted by expert first: the same bits, fewer reads of
  /// weights that have left a cache.
  static constexpr std::int64_t sorts_from = 64;

  /// Random projections from the seed. Throws ArgumentError, naming input_dims, hidden_dims or
  /// num_experts, unless all are positive.
  SwitchGLU(std::int64_t input_dims, std::int64_t hidden_dims, std::int64_t num_experts,
            std::uint64_t seed = 0, bool bias = default_bias, GatedActivation activation = {});

  /// x: [..., in] float; indices: [..., k] i32, u32 or u8, the experts of each token. Result:
  /// [..., k, in], for the caller to weigh and add up. Throws ArgumentError when the leading axes
  /// differ, and as SwitchLinearLayer::forward.
  Array forward(const Array& x, const Array& indices, StreamOrDevice s = {}) const;

  void visit(Visitor& v) override;
  std::unique_ptr<Module> clone() const override { return std::make_unique<SwitchGLU>(*this); }
  std::string describe() const override;

 private:
  /// x: [..., 1, in], a matrix for each index or for the k of a token; result as
  /// SwitchLinearLayer::forward.
  Array experts(const Array& x, const Array& indices, bool sorted, const Stream& stream) const;
  Array sorted_experts(const Array& x, const Array& indices, const Stream& stream) const;

  Slot<SwitchLinearLayer> gate_proj_, up_proj_, down_proj_;
  GatedActivation activation_;
};

}  // namespace clmx
