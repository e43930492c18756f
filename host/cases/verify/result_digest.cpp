#include "result_digest.hpp"

#include <cstring>
#include <vector>

#include "clmx/devices/error.hpp"
#include "digest.hpp"

namespace clmx {
namespace {

/// Every NaN as one: its payload is not part of any promise.
template <class Bits>
void level_nans(std::span<std::byte> bytes, Bits infinity, Bits quiet) {
  const auto magnitude = static_cast<Bits>(~(Bits{1} << (8 * sizeof(Bits) - 1)));
  for (std::size_t at = 0; at + sizeof(Bits) <= bytes.size(); at += sizeof(Bits)) {
    Bits bits = 0;
    std::memcpy(&bits, &bytes[at], sizeof bits);
    if ((bits & magnitude) > infinity) std::memcpy(&bytes[at], &quiet, sizeof quiet);
  }
}

std::vector<std::byte> levelled_bytes(const Array& array) {
  std::vector<std::byte> bytes(array.bytes());
  array.read(bytes);
  if (array.dtype() == DType::f32) level_nans<std::uint32_t>(bytes, 0x7f800000U, 0x7fc00000U);
  if (array.dtype() == DType::f16) level_nans<std::uint16_t>(bytes, 0x7c00U, 0x7e00U);
  if (array.dtype() == DType::bf16) level_nans<std::uint16_t>(bytes, 0x7f80U, 0x7fc0U);
  return bytes;
}

}  // namespace

std::string digest_of(std::span<const Array> outputs) {
  std::vector<std::byte> all;
  for (const Array& output : outputs) {
    const std::string head = join(output.dtype(), output.shape());
    const auto named = std::as_bytes(std::span(head));
    const std::vector<std::byte> bytes = levelled_bytes(output);
    all.insert(all.end(), named.begin(), named.end());
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return hex_digest(all);
}

}  // namespace clmx
