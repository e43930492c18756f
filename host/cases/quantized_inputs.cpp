#include "quantized_inputs.hpp"

namespace clmx {
namespace {

bool is_exact(Data data) {
  return data == Data::integers || data == Data::zeros;
}

/// E8M0 bytes about 1: exactly 1 for integers, over 24 powers of two for extreme data.
std::int64_t exponent_span(Data data) {
  return is_exact(data) ? 0 : data == Data::extreme ? 12 : 3;
}

/// E4M3 numbers of either sign but NaN; small integers for exact data.
std::uint32_t e4m3_code(Data data, Random& random) {
  constexpr std::array<std::uint32_t, 9> integers{0x00, 0x38, 0x40, 0x44, 0x48,
                                                  0x4a, 0x4c, 0x4e, 0x50};
  const std::uint32_t sign = random.integer(0, 1) != 0 ? 0x80u : 0u;
  if (is_exact(data)) return sign | integers[static_cast<std::size_t>(random.integer(0, 8))];
  return sign | static_cast<std::uint32_t>(random.integer(0, 0x7e));
}

Array e4m3_words(Data data, const Shape& shape, Random& random) {
  std::vector<std::uint32_t> words(static_cast<std::size_t>(shape.elements()));
  for (std::uint32_t& word : words)
    for (int i = 0; i < 4; ++i) word |= e4m3_code(data, random) << (8 * i);
  return Array::from(words, shape);
}

/// E4M3 scales about 1, all of them positive.
Array e4m3_scales(Data data, const Shape& shape, Random& random) {
  if (is_exact(data)) return random_integers(DType::u8, shape, random, 0x38, 0x38);
  if (data == Data::extreme) return random_integers(DType::u8, shape, random, 1, 0x7e);
  return random_integers(DType::u8, shape, random, 0x28, 0x48);
}

}  // namespace

const std::vector<QuantizationParams>& every_format() {
  static const std::vector<QuantizationParams> formats = [] {
    std::vector<QuantizationParams> list{mxfp4, mxfp8, nvfp4};
    for (const int bits : {1, 2, 3, 4, 5, 6, 8}) {
      for (const int group : {16, 32, 64, 128})
        if (group * bits % 32 == 0) list.push_back({QuantizationMode::affine, group, bits});
    }
    return list;
  }();
  return formats;
}

void append_weight(Inputs& inputs, const WeightSpec& spec, Random& random) {
  const int bits = spec.params.bit_count();
  const Shape groups = joined(spec.batch, {spec.rows, spec.width / spec.params.group()});
  const Shape words = joined(spec.batch, {spec.rows, spec.width * bits / 32});
  const bool bytes = spec.params.mode == QuantizationMode::mxfp8;
  inputs.push_back(bytes ? e4m3_words(spec.data, words, random) : random_words(words, random));
  if (spec.params.mode == QuantizationMode::nvfp4) {
    inputs.push_back(e4m3_scales(spec.data, groups, random));
    return;
  }
  if (spec.params.mode != QuantizationMode::affine) {
    const std::int64_t span = exponent_span(spec.data);
    inputs.push_back(random_integers(DType::u8, groups, random, 127 - span, 127 + span));
    return;
  }
  const double scale = spec.data == Data::integers ? 1.0 : 1.0 / (1 << bits);
  inputs.push_back(random_array(spec.data, spec.stored, groups, random, scale));
  inputs.push_back(random_array(spec.data, spec.stored, groups, random));
}

void append_global_scale(Inputs& inputs, const WeightSpec& spec, bool one_each, Random& random) {
  const std::int64_t count = one_each ? spec.batch.elements() : 1;
  std::vector<float> scales;
  for (std::int64_t i = 0; i < count; ++i)
    scales.push_back(is_exact(spec.data) ? 2688.0f
                                         : static_cast<float>(100 + 5000 * random.uniform()));
  inputs.push_back(Array::from(scales, one_each ? Shape{count} : Shape{}));
}

}  // namespace clmx
