#pragma once

#include <optional>

#include "clmx/host/array.hpp"
#include "clmx/host/quantization.hpp"

namespace clmx {

/// x as a product with quantized activations sees it, computed by the host with the bits of
/// cl/quantize_activation.cl: for devices whose division or denormals are not exact. Waits for x.
Array activation_on_host(const Array& x, QuantizationMode mode,
                         const std::optional<Array>& global_scale);

}  // namespace clmx
