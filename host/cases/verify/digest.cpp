#include "digest.hpp"

#include <xxhash.h>

#include <array>
#include <cstdio>

namespace clmx {

std::string hex_digest(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  std::array<char, 33> text = {};
  std::snprintf(text.data(), text.size(), "%016lx%016lx", static_cast<unsigned long>(hash.high64),
                static_cast<unsigned long>(hash.low64));
  return text.data();
}

}  // namespace clmx
