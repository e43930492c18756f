#include "file_dtypes.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace clmx {
namespace {

constexpr std::array<std::pair<std::string_view, DType>, 6> same_types{{{"F32", DType::f32},
                                                                        {"F16", DType::f16},
                                                                        {"BF16", DType::bf16},
                                                                        {"U8", DType::u8},
                                                                        {"U32", DType::u32},
                                                                        {"I32", DType::i32}}};

constexpr std::array<std::pair<std::string_view, std::uint64_t>, 20> type_bits{
    {{"BOOL", 8}, {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
     {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},
     {"U16", 16}, {"F16", 16},    {"BF16", 16},   {"I32", 32},    {"U32", 32},
     {"F32", 32}, {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}}};

}  // namespace

std::optional<DType> dtype_of_file_type(std::string_view type) {
  for (const auto& [name, dtype] : same_types) {
    if (name == type) return dtype;
  }
  return {};
}

std::string_view safetensors_name(DType dtype) {
  for (const auto& [name, same] : same_types) {
    if (same == dtype) return name;
  }
  return {};
}

std::optional<std::uint64_t> safetensors_bits(std::string_view type) {
  for (const auto& [name, bits] : type_bits) {
    if (name == type) return bits;
  }
  return {};
}

Array array_of(const HostBytes& bytes, const Shape& shape, DType dtype) {
  const auto address = reinterpret_cast<std::uintptr_t>(bytes.bytes.data());
  if (address % size_of(dtype) != 0) return Array::from_bytes(bytes.bytes, shape, dtype);
  return Array::wrap(bytes, shape, dtype);
}

std::optional<std::uint64_t> checked_multiply(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return {};
  return product;
}

std::optional<std::uint64_t> checked_elements(std::span<const std::uint64_t> sizes) {
  constexpr std::uint64_t most = std::uint64_t{1} << 62;
  std::uint64_t product = 1;
  bool empty = false;
  for (const std::uint64_t size : sizes) {
    empty = empty || size == 0;
    const auto larger = checked_multiply(product, std::max<std::uint64_t>(size, 1));
    if (!larger || *larger > most) return {};
    product = *larger;
  }
  return empty ? 0 : product;
}

}  // namespace clmx
