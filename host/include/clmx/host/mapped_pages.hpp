#pragma once

#include <cstddef>
#include <span>

namespace clmx {

/// Tells the system that bytes of a mapped file will not be read again soon, so that they need not
/// stay in memory. Reading them later is still correct. Only for bytes from map_file.
void release_mapped_pages(std::span<const std::byte> bytes);

}  // namespace clmx
