#pragma once

#include <optional>

#include "clmx/host/array.hpp"
#include "clmx/host/quantization.hpp"

namespace clmx {

/// Width and groups of an MPQ layer (bitorch-engine's MPQLinear): 2, 4 or 8 bits; groups of 32, 64
/// or 128 along the inputs.
struct MpqParams {
  int bits = 4;
  int group_size = 64;
};

/// A layer's tensors with double-quantized statistics (symmetric GBA, dq_mode 2), in = k, out = n,
/// groups = k / group_size, n = columns * dq:
/// qweight: i32 [k / 32 * bits, n], output channel j down column j, low bits first.
/// qstatistic: u8 [groups, columns, dq]: the code of a scale in the high nibble, of a zero in the
/// low one. The other four: f16 [groups, columns, 1].
struct MpqTensors {
  Array qweight, qstatistic;
  Array qscales_zeros, qscales_scales, qzeros_zeros, qzeros_scales;
};

/// GPTQ's tensors: qweight as above; qzeros: i32 [groups, n / 32 * bits], packed along n, stored
/// minus one; scales: f16 [groups, n]; g_idx: i32 [k], the group of each input.
struct GptqTensors {
  Array qweight, qzeros, scales;
  std::optional<Array> g_idx = {};
};

/// The same weight in affine mode, [n, k], computed on the host; waits for the tensors.
///
/// scales = r16(r16(high - qscales_zeros) * qscales_scales), biases = -r16(r16(low - qzeros_zeros)
/// * qzeros_scales), both f16 (bitorch-engine's prepare_params). Throws ArgumentError, naming the
/// tensor, for another dtype or shape, or other bits or groups.
QuantizedWeight unpack_mpq(const MpqTensors& tensors, const MpqParams& params);

/// w = scale (code - (zero + 1)): scales f16, biases = -scale (zero + 1) in f32, which is exact.
/// Throws ArgumentError as above, and for a g_idx other than i / group_size: inputs in another
/// order (act-order) have no such form.
QuantizedWeight unpack_gptq(const GptqTensors& tensors, const MpqParams& params);

}  // namespace clmx
