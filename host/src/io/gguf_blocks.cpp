#include "gguf_blocks.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "clmx/devices/error.hpp"
#include "clmx/host/dtype.hpp"

namespace clmx {
namespace {

constexpr std::array<GgufBlock, 3> blocks{
    {{"Q4_0", 18, 2, 4, 8, false}, {"Q4_1", 20, 4, 4, 0, true}, {"Q8_0", 34, 2, 8, 128, false}}};

/// Host bytes that are written once, here: not filled with zeros before, and aligned for vectors.
template <class T>
class FreshBytes {
 public:
  explicit FreshBytes(std::size_t count) {
    constexpr std::align_val_t alignment{64};
    void* const start =
        ::operator new(std::max<std::size_t>(count, 1) * sizeof(T), alignment, std::nothrow);
    if (!start) throw OutOfMemory(join("no ", count * sizeof(T), " bytes of host memory"));
    owner_ = {start, [](void* held) { ::operator delete(held, alignment); }};
    values_ = {static_cast<T*>(start), count};
  }
  T& operator[](std::size_t i) { return values_[i]; }
  T* at(std::size_t i) { return values_.data() + i; }
  HostBytes take() const { return {std::as_bytes(values_), owner_}; }

 private:
  std::shared_ptr<void> owner_;
  std::span<T> values_;
};

/// The low nibbles of 8 bytes as one word, first byte lowest.
std::uint32_t join_nibbles(std::uint64_t nibbles) {
  nibbles = (nibbles | nibbles >> 4) & 0x00ff00ff00ff00ff;
  nibbles = (nibbles | nibbles >> 8) & 0x0000ffff0000ffff;
  return static_cast<std::uint32_t>(nibbles | nibbles >> 16);
}

/// The file keeps elements 0-15 in the low nibbles and 16-31 in the high ones.
void repack_4_bits(const std::byte* from, std::uint32_t* to) {
  constexpr std::uint64_t low = 0x0f0f0f0f0f0f0f0f;
  std::array<std::uint64_t, 2> bytes;
  std::memcpy(bytes.data(), from, sizeof bytes);
  to[0] = join_nibbles(bytes[0] & low);
  to[1] = join_nibbles(bytes[1] & low);
  to[2] = join_nibbles(bytes[0] >> 4 & low);
  to[3] = join_nibbles(bytes[1] >> 4 & low);
}

/// Signed bytes become codes from 0 to 255.
void repack_8_bits(const std::byte* from, std::uint32_t* to) {
  std::memcpy(to, from, GgufBlock::codes);
  for (std::size_t i = 0; i < GgufBlock::codes / 4; ++i) to[i] ^= 0x80808080;
}

std::uint16_t half_bits(const std::byte* at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  return bits;
}

float widen(std::uint16_t bits) {
  Half half;
  half.bits = bits;
  return static_cast<float>(half);
}

constexpr std::uint16_t infinity = 0x7c00;

std::uint16_t magnitude(std::uint16_t bits) {
  return bits & 0x7fff;
}

/// The first block, in the order of the file, that holds a number that is not finite.
std::optional<std::size_t> find_bad_block(const GgufRows& from, const GgufBlock& block) {
  for (std::size_t i = 0; (i + 1) * block.bytes <= from.bytes.size(); ++i) {
    const std::byte* const at = from.bytes.data() + i * block.bytes;
    if (magnitude(half_bits(at)) >= infinity) return i;
    if (block.has_minimum && magnitude(half_bits(at + 2)) >= infinity) return i;
  }
  return {};
}

template <class Each>
void for_each_block(const GgufRows& from, const GgufBlock& block, const Each& each) {
  std::size_t i = 0;
  for (std::size_t r = 0; r < from.rows; ++r) {
    const std::byte* at = from.row(r, block);
    for (std::size_t b = 0; b < from.blocks_per_row; ++b, at += block.bytes) each(i++, at);
  }
}

GgufScales wide_scales(const GgufRows& from, const GgufBlock& block) {
  FreshBytes<float> scales(from.rows * from.blocks_per_row);
  FreshBytes<float> biases(from.rows * from.blocks_per_row);
  const auto zero = static_cast<float>(block.zero);
  for_each_block(from, block, [&](std::size_t i, const std::byte* at) {
    scales[i] = widen(half_bits(at));
    biases[i] = -zero * scales[i];
  });
  return {scales.take(), biases.take(), true};
}

}  // namespace

std::optional<GgufBlock> gguf_block(std::string_view type) {
  const auto* const found = std::find_if(blocks.begin(), blocks.end(),
                                         [&](const GgufBlock& b) { return b.type == type; });
  return found == blocks.end() ? std::nullopt : std::optional(*found);
}

const std::byte* GgufRows::row(std::size_t r, const GgufBlock& block) const {
  const std::size_t source = row_order.empty() ? r : static_cast<std::size_t>(row_order[r]);
  return bytes.data() + source * blocks_per_row * block.bytes;
}

HostBytes repack_codes(const GgufRows& from, const GgufBlock& block) {
  const auto words = static_cast<std::size_t>(block.bits);  // of a block of 32 codes
  FreshBytes<std::uint32_t> codes(from.rows * from.blocks_per_row * words);
  if (block.bits == 4) {
    for_each_block(from, block, [&](std::size_t i, const std::byte* at) {
      repack_4_bits(at + block.codes_at, codes.at(i * 4));
    });
  } else {
    for_each_block(from, block, [&](std::size_t i, const std::byte* at) {
      repack_8_bits(at + block.codes_at, codes.at(i * 8));
    });
  }
  return codes.take();
}

GgufScales extract_scales(const GgufRows& from, const GgufBlock& block,
                          std::optional<std::size_t>& bad_block) {
  FreshBytes<std::uint16_t> scales(from.rows * from.blocks_per_row);
  FreshBytes<std::uint16_t> biases(from.rows * from.blocks_per_row);
  const auto zero = static_cast<float>(block.zero);
  std::uint16_t largest = 0, largest_bias = 0;
  for_each_block(from, block, [&](std::size_t i, const std::byte* at) {
    scales[i] = half_bits(at);
    biases[i] = block.has_minimum ? half_bits(at + 2) : Half(-zero * widen(scales[i])).bits;
    largest = std::max(largest, magnitude(scales[i]));
    largest_bias = std::max(largest_bias, magnitude(biases[i]));
  });
  if (largest < infinity && largest_bias < infinity) return {scales.take(), biases.take(), false};
  bad_block = find_bad_block(from, block);
  return bad_block ? GgufScales{} : wide_scales(from, block);
}

}  // namespace clmx
