#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "clmx/devices/stream.hpp"

namespace clmx {

/// A chain of ops on data of an integer generator, in which nothing is subnormal: every device,
/// kernel and version has to give results of this hash. It changes only when the canonical order
/// does.
struct CanonicalHash {
  std::string_view name;
  bool quick = false;  ///< few kernels: a decoded token
  std::uint64_t published = 0;
  std::uint64_t (*hash)(const Stream& stream);
};
std::span<const CanonicalHash> canonical_hashes();

}  // namespace clmx
