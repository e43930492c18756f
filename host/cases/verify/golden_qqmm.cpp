#include "golden_qqmm.hpp"

#include <cmath>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "op_case.hpp"
#include "reference_decode.hpp"

namespace clmx {
namespace {

/// Rows of a floating mode's weight, exact.
std::vector<double> exact_weights(const reference::Weight& w) {
  const std::size_t width = reference::width_of(w);
  const auto group = static_cast<std::size_t>(w.params.group());
  const auto bits = static_cast<std::size_t>(w.params.bit_count());
  std::vector<double> values(w.scales.values.size() * group);
  require(values.size() == w.packed.values.size() * (32 / bits), "verify",
          "weight and scales do not fit");
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t code = reference::code_at(w, i / width, i % width);
    values[i] = reference::element_value(w.params, code) * reference::scale_value(w, i / group);
  }
  return values;
}

std::optional<DoubleArray> widened(const std::optional<Array>& array) {
  return array ? std::optional(widen(*array)) : std::nullopt;
}

const DoubleArray* pointer(const std::optional<DoubleArray>& array) {
  return array ? &*array : nullptr;
}

/// As it is stored, or quantized from a dense one.
QuantizedArrays weight_of(const GoldenCase& golden, const GoldenFamily& family,
                          const QuantizationParams& params) {
  const Array w = family.input(golden, "w");
  if (const auto scales = family.optional_input(golden, "scales")) return {w, *scales, {}};
  return quantize_arrays(w, {params}, family.optional_input(golden, "global_scale_w"));
}

}  // namespace

QqmmReference qqmm_reference(const GoldenCase& golden, const GoldenFamily& family) {
  const QuantizationParams params = qqmm_params(golden.args);
  const DoubleArray given = widen(family.input(golden, "x"));
  const auto k = static_cast<std::size_t>(given.shape[-1]);
  const auto group = static_cast<std::size_t>(params.group());
  require(params.mode != QuantizationMode::affine && k > 0 && k % group == 0, "verify",
          "no qqmm of ", params.mode, " with x ", given.shape);
  const auto scale_of_x = widened(family.optional_input(golden, "global_scale_x"));
  const std::vector<double> x =
      reference::rounded_activation(given, params, pointer(scale_of_x)).values;
  const QuantizedArrays stored = weight_of(golden, family, params);
  const DoubleArray packed = widen(stored.packed), scales = widen(stored.scales);
  const auto scale_of_w = widened(family.optional_input(golden, "global_scale_w"));
  const std::vector<double> w =
      exact_weights({packed, scales, nullptr, params, pointer(scale_of_w)});
  QqmmReference result;
  for (std::size_t row = 0; row < x.size(); row += k) {
    for (std::size_t column = 0; column + k <= w.size(); column += k) {
      double sum = 0, magnitude = 0;
      for (std::size_t i = 0; i < k; ++i) {
        sum += x[row + i] * w[column + i];
        magnitude += std::abs(x[row + i] * w[column + i]);
      }
      result.ref.push_back(sum);
      result.magnitude.push_back(magnitude);
    }
  }
  return result;
}

}  // namespace clmx
