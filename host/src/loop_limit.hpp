#pragma once

#include <cstdint>
#include <string_view>

#include "clmx/devices/device.hpp"

namespace clmx {

/// The turns of a loop that are tried. A device that takes as many is taken to end no loop.
constexpr std::int64_t turns_tried = std::int64_t{1} << 20;

/// The turns after which the device ends the loops of a work-item by itself, without an error (a
/// software renderer does, after 65535, counted over all loops of a kernel): measured once per
/// device and process. turns_tried where it ends none.
std::int64_t loop_limit(const Device& device);

/// The most turns that the loops of a work-item take for a sum in the canonical order: `turns` for
/// its products, and what the blocks and the tree over them add.
std::int64_t turns_of_sum(std::int64_t turns, std::int64_t blocks);

/// Throws ArgumentError when a work-item of the op turns more often than the device lets it: the
/// result would be wrong without a word. `what`, `size`: what makes the loop long.
void require_turns(const Device& device, std::int64_t turns, std::string_view op,
                   std::string_view what, std::int64_t size);

}  // namespace clmx
