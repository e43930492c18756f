#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "clmx/devices/memory.hpp"

namespace clmx {

/// A block of 32 codes in a GGUF file: an f16 scale d, perhaps an f16 minimum m, the codes.
/// A value is d * (code - zero), or d * code + m where has_minimum.
/// Source: https://github.com/ggml-org/ggml, block_q4_0, block_q4_1, block_q8_0.
struct GgufBlock {
  static constexpr std::size_t codes = 32;
  std::string_view type;
  std::size_t bytes, codes_at;
  int bits, zero;
  bool has_minimum;
};
/// Nothing for types that are not computed with.
std::optional<GgufBlock> gguf_block(std::string_view type);

/// The rows of a matrix of such blocks. row_order: the source row of each row; empty: as stored.
struct GgufRows {
  std::span<const std::byte> bytes;
  std::size_t rows, blocks_per_row;
  std::span<const std::int64_t> row_order;
  const std::byte* row(std::size_t r, const GgufBlock& block) const;
};

/// Codes in MLX's order: u32 [rows, blocks_per_row * bits].
HostBytes repack_codes(const GgufRows& from, const GgufBlock& block);

/// Scale and bias of each block: f16, or f32 where a bias in f16 would overflow.
struct GgufScales {
  HostBytes scales, biases;
  bool wide = false;
};
/// bad_block: set to the index (in the file) of a block whose scale or minimum is not finite.
GgufScales extract_scales(const GgufRows& from, const GgufBlock& block,
                          std::optional<std::size_t>& bad_block);

}  // namespace clmx
