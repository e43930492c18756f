#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "clmx/host/array.hpp"

namespace clmx {

/// The dtype of a tensor type that a file holds as clmx does ("F32" -> f32); nothing for others.
std::optional<DType> dtype_of_file_type(std::string_view type);
/// The safetensors name of a dtype ("F32").
std::string_view safetensors_name(DType dtype);
/// Bits of one element of a safetensors type; nothing when it is unknown.
/// Source: https://github.com/huggingface/safetensors, enum Dtype.
std::optional<std::uint64_t> safetensors_bits(std::string_view type);

/// Bytes of a mapped file as an array: wrapped when aligned to the element, else copied.
Array array_of(const HostBytes& bytes, const Shape& shape, DType dtype);

/// a * b, or nothing when it does not fit.
std::optional<std::uint64_t> checked_multiply(std::uint64_t a, std::uint64_t b);
/// The number of elements; nothing when Shape would refuse the sizes for their product.
std::optional<std::uint64_t> checked_elements(std::span<const std::uint64_t> sizes);

}  // namespace clmx
