#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace clmx {

/// XXH3-128 (https://github.com/Cyan4973/xxHash) as 32 hexadecimal digits.
std::string hex_digest(std::span<const std::byte> bytes);

}  // namespace clmx
