#include "canonical_hash.hpp"

#include <array>

#include "clmx/host/ops.hpp"
#include "quantized_inputs.hpp"

namespace clmx {
namespace {

constexpr std::int64_t width = 192, dim = 64, heads = 3, kv_heads = 1, hidden = 256, earlier = 70;

/// Multiples of 1/64 below 2 in magnitude: exact in every dtype.
Array sixty_fourths(const Shape& shape, Random& random) {
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (float& value : values) value = static_cast<float>(random.integer(-127, 127)) / 64.0f;
  return Array::from(values, shape);
}

QuantizedWeight weight(std::int64_t rows, std::int64_t columns, const QuantizationParams& params,
                       Random& random) {
  const Array packed = random_words({rows, columns * params.bit_count() / 32}, random);
  const Shape groups{rows, columns / params.group()};
  if (!is_affine(params)) {
    return {packed, random_integers(DType::u8, groups, random, 122, 125), std::nullopt, params};
  }
  std::vector<float> scales, biases;
  const auto half = static_cast<float>(1 << (params.bit_count() - 1));
  for (std::int64_t i = 0; i < groups.elements(); ++i) {
    scales.push_back(static_cast<float>(random.integer(16, 64)) / (256.0f * half));
    biases.push_back(-half * scales.back() + static_cast<float>(random.integer(-8, 8)) / 256.0f);
  }
  return {packed, Array::from(scales, groups), Array::from(biases, groups), params};
}

/// FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/).
std::uint64_t hash_of(const std::vector<float>& values) {
  std::uint64_t hash = 0xcbf29ce484222325UL;
  for (const std::byte byte : std::as_bytes(std::span(values))) {
    hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3UL;
  }
  return hash;
}

/// A layer of a small transformer on `rows` positions after `earlier` others.
std::uint64_t layer(const Stream& s, std::int64_t rows, const QuantizationParams& params) {
  Random random(20260);
  const Array x = sixty_fourths({rows, width}, random), gain = sixty_fourths({width}, random);
  const QuantizedWeight qkv = weight((heads + 2 * kv_heads) * dim, width, params, random);
  const QuantizedWeight project = weight(width, width, params, random);
  const QuantizedWeight up = weight(2 * hidden, width, params, random);
  const QuantizedWeight down = weight(width, hidden, params, random);

  KVCache cache(1, kv_heads, dim, earlier + rows);
  const Shape past{1, earlier, kv_heads, dim};
  cache.append(sixty_fourths(past, random), sixty_fourths(past, random), AttentionLayout::bthd, s);
  const RopeTable table = make_rope_table({.dims = static_cast<int>(dim)}, earlier + rows);
  const Array normed = rms_norm(x, gain, 1e-5f, s);
  const Array fused = quantized_matmul(normed, qkv, {}, s).reshape({1, rows, qkv.out_features()});
  const Array q = cache.append_rotated(fused, table, s);
  const Array attended = scaled_dot_product_attention(
      q, cache, {.scale = 0.125f, .causal = true, .layout = AttentionLayout::bthd}, s);
  const Array o = quantized_matmul(attended.reshape({rows, width}), project, {}, s);
  const AddedNorm after = add_rms_norm(x, o, gain, 1e-5f, s);
  const Array gated = swiglu_halves(quantized_matmul(after.normed, up, {}, s), s);
  return hash_of(add(after.sum, quantized_matmul(gated, down, {}, s), s).to_vector<float>());
}

constexpr std::array hashes{
    CanonicalHash{"canonical/token/affine4_g64", true, 0x590da2153b59c25aUL,
                  [](const Stream& s) { return layer(s, 1, affine4_64); }},
    CanonicalHash{"canonical/token/affine8_g32", false, 0xd4b8ae67a7cb9d89UL,
                  [](const Stream& s) { return layer(s, 1, affine8_32); }},
    CanonicalHash{"canonical/token/mxfp4", false, 0xc810e0e30a9ef01fUL,
                  [](const Stream& s) { return layer(s, 1, mxfp4); }},
    CanonicalHash{"canonical/prompt/affine4_g32", false, 0x8a5cc631acf481fcUL,
                  [](const Stream& s) { return layer(s, 11, affine4_32); }}};

}  // namespace

std::span<const CanonicalHash> canonical_hashes() {
  return hashes;
}

}  // namespace clmx
