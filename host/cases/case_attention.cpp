#include <array>
#include <limits>
#include <span>

#include "case_data.hpp"
#include "clmx/devices/error.hpp"

// Attention with masks, windows and sinks. The ops are registered in case_transformer.cpp; a case's
// options say by an empty array that there is a mask or sinks, and the inputs hold them.
namespace clmx {
namespace {

struct Size {
  std::int64_t batch, heads, kv_heads, queries, keys, dim;

  Shape operand(std::int64_t of_heads, std::int64_t time, AttentionLayout layout) const {
    return layout == AttentionLayout::bthd ? Shape{batch, time, of_heads, dim}
                                           : Shape{batch, of_heads, time, dim};
  }
};

enum class MaskKind { none, boolean, added };

struct Variant {
  MaskKind mask = MaskKind::none;
  bool sinks = false, causal = false;
  std::optional<std::int64_t> window = {};
  /// Axes of the mask, the last first: B, H, Lq, Lk where true, else 1. The first `rank` of them.
  int rank = 2;
  bool repeats_heads = false, repeats_queries = false, repeats_keys = false;
};

Shape mask_shape(const Size& z, const Variant& variant) {
  const std::array<std::int64_t, 4> sizes{z.batch, variant.repeats_heads ? 1 : z.heads,
                                          variant.repeats_queries ? 1 : z.queries,
                                          variant.repeats_keys ? 1 : z.keys};
  return Shape(std::span<const std::int64_t>(sizes).last(static_cast<std::size_t>(variant.rank)));
}

/// 0 or 1, seven of ten 1. Every fifth row is 0 throughout: it sees no key.
Array boolean_mask(const Shape& shape, Random& random) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  const auto width = static_cast<std::size_t>(shape[-1]);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = i / width % 5 != 4 && random.uniform() < 0.7 ? 1 : 0;
  return array_of(values, DType::u8, shape);
}

/// Normal numbers, every eighth minus infinity.
Array added_mask(DType dtype, const Shape& shape, Random& random) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (double& value : values)
    value = random.integer(0, 7) ? random.normal() : -std::numeric_limits<double>::infinity();
  return array_of(values, dtype, shape);
}

AttentionOptions options_of(const Variant& variant, AttentionLayout layout) {
  AttentionOptions o{.scale = 0.25f, .causal = variant.causal, .layout = layout};
  if (variant.mask != MaskKind::none) o.mask = Array();
  if (variant.sinks) o.sinks = Array();
  o.window = variant.window;
  return o;
}

void add_masks(Inputs& inputs, const Size& z, const Variant& variant, DType dtype, Random& random) {
  if (variant.mask == MaskKind::boolean)
    inputs.push_back(boolean_mask(mask_shape(z, variant), random));
  if (variant.mask == MaskKind::added)
    inputs.push_back(added_mask(dtype, mask_shape(z, variant), random));
  if (variant.sinks) inputs.push_back(random_array(Data::normal, dtype, {z.heads}, random, 2.0));
}

std::string name_of(const Size& z, const Variant& variant) {
  const std::array masks{"", "/boolean", "/added"};
  std::string name = join("b", z.batch, "h", z.heads, "kv", z.kv_heads, 'q', z.queries, 'k', z.keys,
                          'd', z.dim, masks[static_cast<std::size_t>(variant.mask)]);
  if (variant.mask != MaskKind::none) name += join(mask_shape(z, variant));
  if (variant.repeats_keys || variant.repeats_queries) name += "/repeated";
  if (variant.sinks) name += "/sinks";
  if (variant.causal) name += "/causal";
  if (variant.window) name += join("/window", *variant.window);
  return name;
}

void add(const Size& z, const Variant& variant, DType dtype, AttentionLayout layout) {
  add_case({join("attention/", dtype, '_', name_of(z, variant),
                 layout == AttentionLayout::bthd ? "/bthd" : ""),
            OpCall{"scaled_dot_product_attention", options_of(variant, layout)},
            [=](std::uint64_t seed) {
              Random random(seed);
              Inputs inputs;
              for (const Shape& shape :
                   {z.operand(z.heads, z.queries, layout), z.operand(z.kv_heads, z.keys, layout),
                    z.operand(z.kv_heads, z.keys, layout)})
                inputs.push_back(random_array(Data::normal, dtype, shape, random));
              add_masks(inputs, z, variant, dtype, random);
              return inputs;
            },
            {}});
}

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const bool sinks : {false, true}) {
    if (sinks) all.push_back({.sinks = true});
    if (sinks) all.push_back({.sinks = true, .causal = true});
    for (const std::int64_t window : {1, 5, 70})
      all.push_back({.sinks = sinks, .causal = true, .window = window});
    for (const MaskKind mask : {MaskKind::boolean, MaskKind::added}) {
      all.push_back({.mask = mask, .sinks = sinks});
      all.push_back({.mask = mask, .sinks = sinks, .rank = 4});
      all.push_back({.mask = mask, .sinks = sinks, .causal = true, .window = 40, .rank = 3});
    }
  }
  for (const MaskKind mask : {MaskKind::boolean, MaskKind::added}) {
    all.push_back({.mask = mask, .rank = 1});
    all.push_back({.mask = mask, .rank = 4, .repeats_heads = true, .repeats_keys = true});
    all.push_back({.mask = mask, .causal = true, .rank = 4, .repeats_queries = true});
  }
  return all;
}

/// One head size for most: a kernel is compiled for each.
const RegisterCases mask_cases{[] {
  const std::vector<Size> sizes{{1, 1, 1, 1, 1, 32},   {2, 4, 2, 7, 7, 32},   {2, 4, 4, 3, 11, 32},
                                {1, 6, 2, 1, 130, 32}, {1, 3, 1, 9, 200, 32}, {1, 2, 1, 6, 4, 32}};
  for (const Variant& variant : variants()) {
    for (const Size& z : sizes) add(z, variant, DType::f32, AttentionLayout::bhtd);
    add(sizes[1], variant, DType::f32, AttentionLayout::bthd);
    if (variant.window == 5 || variant.rank == 4)
      for (const DType dtype : {DType::f16, DType::bf16})
        add(sizes[1], variant, dtype, AttentionLayout::bhtd);
  }
  for (const MaskKind mask : {MaskKind::boolean, MaskKind::added})
    add({1, 2, 1, 5, 70, 40}, {.mask = mask, .sinks = true, .causal = true, .window = 7},
        DType::f32, AttentionLayout::bthd);
}};

const RegisterCases cached_mask_cases{[] {
  constexpr std::int64_t length = 100;
  const Size z{1, 6, 2, 5, length, 32};
  for (const Variant& variant : variants()) {
    const AttentionOptions o = options_of(variant, AttentionLayout::bthd);
    add_case({join("cached_attention/f32/length", length, '/', name_of(z, variant)),
              OpCall{"cached_attention", CachedAttentionOptions{o, length}},
              [=](std::uint64_t seed) {
                Inputs inputs = floats(Data::normal, {DType::f32},
                                       {z.operand(z.heads, z.queries, o.layout),
                                        {1, z.kv_heads, 140, z.dim},
                                        {1, z.kv_heads, 140, z.dim}})(seed);
                Random random(seed + 1);
                add_masks(inputs, z, variant, DType::f32, random);
                return inputs;
              },
              {}});
  }
}};

const RegisterCases length_cases{[] {
  for (const std::int64_t kv_length : {0, 1, 64, 90}) {
    AttentionOptions o{.scale = 0.25f, .causal = true};
    o.kv_length = kv_length;
    add_case({join("attention/f32/kv_length", kv_length),
              OpCall{"scaled_dot_product_attention", o},
              floats(Data::normal, {DType::f32}, {{2, 4, 3, 16}, {2, 2, 90, 16}, {2, 2, 90, 16}}),
              {}});
  }
}};

}  // namespace
}  // namespace clmx
