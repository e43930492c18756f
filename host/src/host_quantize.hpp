#pragma once

#include <optional>

#include "clmx/host/ops_quantized.hpp"

namespace clmx {

/// quantize and dequantize computed by the host with the bits of cl/quantize.cl and
/// cl/dequantize.cl, for devices whose division or denormals are not exact. The arguments have been
/// checked; they are read from where they are, and the results are host arrays.
QuantizedArrays quantize_on_host(const Array& w, const QuantizeOptions& options,
                                 const std::optional<Array>& global_scale = {});

/// What dequantizing rounds to on the way: code, scale and their product to one type, the bias and
/// the sum with it to another.
struct DequantizeRounding {
  DType product, sum;
};

/// rows: which rows of w to take (already in range), or all.
Array dequantize_on_host(const QuantizedArrays& w, const QuantizationParams& params,
                         const DequantizeRounding& rounding, DType result,
                         const std::optional<std::vector<std::int64_t>>& rows);

}  // namespace clmx
