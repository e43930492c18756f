#include "folded_scales.hpp"

#include <cstdint>
#include <vector>

#include "global_scale.hpp"
#include "minifloat.hpp"
#include "quantized_weight_state.hpp"

namespace clmx {

Array folded(const Array& global_scale, const Array& scales) {
  const std::vector<float> factors = factors_of(global_scale);
  const std::vector<std::uint8_t> codes = scales.to_vector<std::uint8_t>();
  std::vector<float> values(codes.size());
  const std::size_t per_factor = codes.empty() ? 1 : codes.size() / factors.size();
  for (std::size_t i = 0; i < codes.size(); ++i)
    values[i] = e4m3(codes[i]) * factors[i / per_factor];
  return Array::from(values, scales.shape());
}

Array folded_scales(const QuantizedWeight& w) {
  if (!w.global_scale()) return w.scales();
  QuantizedWeightState& state = *w.state();
  const std::lock_guard lock(state.scales_mutex);
  if (!state.folded_scales) state.folded_scales = folded(*w.global_scale(), w.scales());
  return *state.folded_scales;
}

}  // namespace clmx
