#pragma once

#include <mutex>
#include <vector>

#include "clmx/host/quantization.hpp"
#include "prepared_weight.hpp"

namespace clmx {

/// What all copies of a QuantizedWeight share: MLX's arrays and, per device, prepared layouts.
struct QuantizedWeightState {
  Array packed, scales;
  std::optional<Array> biases;
  QuantizationParams params;
  PreparedWeights prepared;
};

}  // namespace clmx
