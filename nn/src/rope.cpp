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
  const auto move = [by](std::int64_t& offset) {
    const std::int64_t from = offset;
    require(!__builtin_add_overflow(from, by, &offset), "RoPE", "the offsets ", from, " and ", by,
            " add up to more than 64 bits hold");
  };
  if (!options.offsets) {
    move(options.offset);
    return options;
  }
  for (std::int64_t& offset : *options.offsets) move(offset);
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
              ", traditional=", options_.traditional ? "true" : "false",
              options_.base ? join(", base=", *options_.base) : std::string(", periods given"),
              ", scale=", options_.scale, ")");
}

}  // namespace clmx
