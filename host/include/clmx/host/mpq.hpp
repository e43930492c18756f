#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "clmx/host/array.hpp"
#include "clmx/host/quantization.hpp"
#include "clmx/host/stream_or_device.hpp"

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

/// The same with integer zero points (asymmetric GBA): qscales: u8 [groups, columns, dq] or
/// [groups, n], codes of the scales; qscales_zeros, qscales_scales: f16 [groups, columns, 1], or
/// one for each channel, [1, n, 1] (dq_mode 1); qzeros as GPTQ's.
struct AsymmetricMpqTensors {
  Array qweight, qscales, qscales_zeros, qscales_scales, qzeros;
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

/// scales = r16(r16(code - qscales_zeros) * qscales_scales); the rest as unpack_gptq.
QuantizedWeight unpack_mpq(const AsymmetricMpqTensors& tensors, const MpqParams& params);

/// w = scale (code - (zero + 1)): scales f16, biases = -scale (zero + 1) in f32, which is exact.
/// Throws ArgumentError as above, and for a g_idx other than i / group_size: inputs in another
/// order (act-order) have no such form.
QuantizedWeight unpack_gptq(const GptqTensors& tensors, const MpqParams& params);

/// Throws ArgumentError unless g_idx, i32 [in], is i / group_size everywhere.
void require_plain_order(const Array& g_idx, std::int64_t in, int group_size, std::string_view op);

/// A weight whose statistics stay double-quantized: packed: u32 [n, k * bits / 32], MLX's rows; the
/// others as in MpqTensors. 8 bits a group and channel instead of 32.
struct MpqWeight {
  Array packed, qstatistic;
  Array qscales_zeros, qscales_scales, qzeros_zeros, qzeros_scales;
  MpqParams params;
};
/// Turns qweight on the host. Throws ArgumentError as unpack_mpq, and for a size that is 0.
MpqWeight compact_mpq(const MpqTensors& tensors, const MpqParams& params);
/// The same weight in affine mode, as unpack_mpq gives it.
QuantizedWeight expand_mpq(const MpqWeight& weight);

/// What a Tap sees of mpq_matmul besides its arrays: x, packed, qstatistic, qscales_zeros,
/// qscales_scales, qzeros_zeros, qzeros_scales and, if given, bias.
struct MpqMatmulOptions {
  MpqParams params = {};
  bool has_bias = false;
  std::optional<DType> dtype = {};
};

/// y = x W^T (+ bias) with the bits of quantized_matmul(x, expand_mpq(w)): the kernel computes
/// scales and zeros from their codes as it goes. x: [..., k] float; bias: [n] float, added to the
/// f32 sum; result: [..., n], in `dtype`, absent: the promotion of x, f16 and bias. Throws
/// ArgumentError, enqueuing nothing, when shapes or dtypes differ from that.
Array mpq_matmul(const Array& x, const MpqWeight& w, const std::optional<Array>& bias = {},
                 std::optional<DType> dtype = {}, StreamOrDevice s = {});

}  // namespace clmx
