#pragma once

#include <map>
#include <mutex>
#include <utility>

#include "clmx/host/quantization.hpp"
#include "prepared_weight.hpp"

namespace clmx {

/// What all copies of a QuantizedWeight share: MLX's arrays and, per device, prepared layouts.
struct QuantizedWeightState {
  Array packed, scales;
  std::optional<Array> biases, global_scale;
  QuantizationParams params;
  PreparedWeights prepared;

  std::mutex factors_mutex;
  std::optional<Array> factors;  ///< see global_scale.hpp
  std::mutex scales_mutex;
  std::optional<Array> folded_scales;  ///< with the global_scale, once asked for

  std::mutex parts_mutex;
  /// Rows [first, second) as weights of their own, for products shared out over devices.
  std::map<std::pair<std::int64_t, std::int64_t>, QuantizedWeight> parts;
};

}  // namespace clmx
