#include "quantized_inputs.hpp"

namespace clmx {
namespace {

/// E8M0 bytes about 1: exactly 1 for integers, over 24 powers of two for extreme data.
std::int64_t exponent_span(Data data) {
  switch (data) {
    case Data::integers:
    case Data::zeros:
      return 0;
    case Data::extreme:
      return 12;
    default:
      return 3;
  }
}

}  // namespace

void append_weight(Inputs& inputs, const WeightSpec& spec, Random& random) {
  const int bits = spec.params.bit_count();
  const Shape groups{spec.rows, spec.width / spec.params.group()};
  inputs.push_back(random_words({spec.rows, spec.width * bits / 32}, random));
  if (spec.params.mode != QuantizationMode::affine) {
    const std::int64_t span = exponent_span(spec.data);
    inputs.push_back(random_integers(DType::u8, groups, random, 127 - span, 127 + span));
    return;
  }
  const double scale = spec.data == Data::integers ? 1.0 : 1.0 / (1 << bits);
  inputs.push_back(random_array(spec.data, spec.stored, groups, random, scale));
  inputs.push_back(random_array(spec.data, spec.stored, groups, random));
}

}  // namespace clmx
