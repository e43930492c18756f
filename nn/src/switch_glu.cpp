#include "clmx/nn/switch_glu.hpp"

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_products.hpp"
#include "random_values.hpp"

namespace clmx {
namespace {

std::unique_ptr<SwitchLinearLayer> projection(std::int64_t in, std::int64_t out,
                                              std::int64_t num_experts, std::uint64_t seed,
                                              bool bias) {
  return std::make_unique<SwitchLinear>(SwitchLinear::random(in, out, num_experts, seed, bias));
}

/// 0 k times, 1 k times, ...: the token of each of count * k indices, a table of one column.
Array tokens_of(std::int64_t count, std::int64_t k) {
  std::vector<std::int32_t> tokens;
  tokens.reserve(static_cast<std::size_t>(count * k));
  for (std::int64_t token = 0; token < count; ++token)
    tokens.insert(tokens.end(), static_cast<std::size_t>(k), static_cast<std::int32_t>(token));
  return Array::from(tokens, {count * k, 1});
}

}  // namespace

SwitchGLU::SwitchGLU(std::int64_t input_dims, std::int64_t hidden_dims, std::int64_t num_experts,
                     std::uint64_t seed, bool bias, GatedActivation activation)
    : activation_(std::move(activation)) {
  require_positive(input_dims, "SwitchGLU", "input_dims");
  require_positive(hidden_dims, "SwitchGLU", "hidden_dims");
  require_positive(num_experts, "SwitchGLU", "num_experts");
  const auto part = [&](int i) { return seed_of_part(seed, "SwitchGLU", i); };
  gate_proj_ = projection(input_dims, hidden_dims, num_experts, part(0), bias);
  up_proj_ = projection(input_dims, hidden_dims, num_experts, part(1), bias);
  down_proj_ = projection(hidden_dims, input_dims, num_experts, part(2), bias);
  if (!activation_) {
    activation_ = [](const Array& gate, const Array& up, StreamOrDevice s) {
      return swiglu(gate, up, s);
    };
  }
}

Array SwitchGLU::experts(const Array& x, const Array& indices, bool sorted,
                         const Stream& stream) const {
  const Array up = up_proj_->forward(x, indices, sorted, stream);
  const Array gate = gate_proj_->forward(x, indices, sorted, stream);
  return down_proj_->forward(activation_(gate, up, stream), indices, sorted, stream);
}

Array SwitchGLU::sorted_experts(const Array& x, const Array& indices, const Stream& stream) const {
  const std::int64_t width = x.shape(-1), count = indices.size(), k = indices.shape(-1);
  const std::int64_t tokens = count / k;
  const Array order = argsort(indices.reshape({count}), stream);
  const Array token = gather(tokens_of(tokens, k), order, stream).reshape({count});
  const Array rows = gather(x.reshape({tokens, width}), token, stream).reshape({count, 1, width});
  const Array sorted = gather(indices.reshape({count, 1}), order, stream).reshape({count});
  const Array y = experts(rows, sorted, true, stream).reshape({count, width});
  return gather(y, argsort(order, stream), stream);
}

Array SwitchGLU::forward(const Array& x, const Array& indices, StreamOrDevice s) const {
  require(x.rank() > 0 && x.shape(-1) == gate_proj_->in_features(), "SwitchGLU", "x has shape ",
          x.shape(), ", its last axis must be ", gate_proj_->in_features());
  require(indices.rank() == x.rank() &&
              indices.shape().slice(0, x.rank() - 1) == x.shape().slice(0, x.rank() - 1),
          "SwitchGLU", "indices must have the leading axes of x; x has shape ", x.shape(),
          ", indices ", indices.shape());
  check_gather_indices(indices, gate_proj_->num_experts(), "indices", "SwitchGLU");
  const Stream stream = s.resolve();
  const Shape result = joined(indices.shape(), {x.shape(-1)});
  if (indices.size() >= sorts_from) return sorted_experts(x, indices, stream).reshape(result);
  const Shape tokens = joined(x.shape().slice(0, x.rank() - 1), {1, 1, x.shape(-1)});
  return experts(x.reshape(tokens), indices, false, stream).reshape(result);
}

void SwitchGLU::visit(Visitor& v) {
  v.slot("gate_proj", gate_proj_);
  v.slot("up_proj", up_proj_);
  v.slot("down_proj", down_proj_);
}

std::string SwitchGLU::describe() const {
  return join("SwitchGLU(input_dims=", gate_proj_->in_features(),
              ", hidden_dims=", gate_proj_->out_features(),
              ", num_experts=", gate_proj_->num_experts(), ")");
}

}  // namespace clmx
