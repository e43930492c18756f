#include "clmx/nn/rope.hpp"

namespace clmx {

RoPE::RoPE(int dims, bool traditional, double base, double scale)
    : RoPE(RopeOptions{.dims = dims, .traditional = traditional, .base = base, .scale = scale}) {}

RoPE::RoPE(RopeOptions options) : options_(std::move(options)) {
  RopeOptions from_zero = options_;
  from_zero.offsets.reset();
  static_cast<void>(make_rope_table(from_zero, 0));  // the op's own checks
}

RopeOptions moved(RopeOptions options, std::int64_t by) {
  if (!options.offsets) {
    options.offset += by;
    return options;
  }
  for (std::int64_t& offset : *options.offsets) offset += by;
  return options;
}

Array RoPE::forward(const Array& x, std::int64_t offset, StreamOrDevice s) const {
  return rope(x, moved(options_, offset), s);
}

Array RoPE::forward(const Array& x, const std::vector<std::int64_t>& offsets,
                    StreamOrDevice s) const {
  require(!options_.offsets, "RoPE", "the options have offsets of their own");
  RopeOptions options = options_;
  options.offsets = offsets;
  options.offset = 0;
  return rope(x, moved(std::move(options), options_.offset), s);
}

std::string RoPE::describe() const {
  return join("RoPE(dims=", options_.dims,
              ", traditional=", options_.traditional ? "true" : "false", ")");
}

}  // namespace clmx
