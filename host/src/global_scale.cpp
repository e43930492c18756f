#include "global_scale.hpp"

#include <vector>

#include "quantized_weight_state.hpp"

namespace clmx {
namespace {

constexpr float largest_product = 2688.0f;  // 448 * 6: the largest scale and element of nvfp4

Array compute(const QuantizedWeight& w) {
  const std::vector<float> given = w.global_scale()->to_vector<float>();
  const std::int64_t matrices = w.batch().elements();
  std::vector<float> factors(static_cast<std::size_t>(matrices), given.front() / largest_product);
  if (given.size() == factors.size()) {
    for (std::size_t e = 0; e < factors.size(); ++e) factors[e] = given[e] / largest_product;
  }
  return Array::from(factors, {matrices});
}

}  // namespace

Array scale_factors(const QuantizedWeight& w) {
  QuantizedWeightState& state = *w.state();
  const std::lock_guard lock(state.factors_mutex);
  if (!state.factors) state.factors = compute(w);
  return *state.factors;
}

}  // namespace clmx
