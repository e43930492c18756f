#include "clmx/nn/rope.hpp"

namespace clmx {

RoPE::RoPE(int dims, bool traditional, double base, double scale)
    : RoPE(RopeOptions{.dims = dims, .traditional = traditional, .base = base, .scale = scale}) {}

RoPE::RoPE(RopeOptions options) : options_(std::move(options)) {
  require(options_.dims > 0 && options_.dims % 2 == 0, "RoPE",
          "dims must be even and positive, not ", options_.dims);
}

Array RoPE::forward(const Array& x, std::int64_t offset, StreamOrDevice s) const {
  RopeOptions options = options_;
  options.offset += offset;
  return rope(x, options, s);
}

std::string RoPE::describe() const {
  return join("RoPE(dims=", options_.dims,
              ", traditional=", options_.traditional ? "true" : "false", ")");
}

}  // namespace clmx
