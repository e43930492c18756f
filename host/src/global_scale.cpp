#include "global_scale.hpp"

#include <vector>

#include "quantized_weight_state.hpp"

namespace clmx {
namespace {

Array compute(const QuantizedWeight& w) {
  std::vector<float> factors = factors_of(*w.global_scale());
  const std::int64_t matrices = w.batch().elements();
  // One for all of them, or one each.
  if (factors.size() == 1) factors.assign(static_cast<std::size_t>(matrices), factors.front());
  return Array::from(factors, {matrices});
}

}  // namespace

std::vector<float> factors_of(const Array& global_scale) {
  constexpr float largest_product = 2688.0f;  // 448 * 6: the largest scale and element of nvfp4
  std::vector<float> factors = global_scale.to_vector<float>();
  for (float& factor : factors) factor /= largest_product;
  return factors;
}

Array scale_factors(const QuantizedWeight& w) {
  QuantizedWeightState& state = *w.state();
  const std::lock_guard lock(state.factors_mutex);
  if (!state.factors) state.factors = compute(w);
  return *state.factors;
}

}  // namespace clmx
