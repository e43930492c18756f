#pragma once

#include <optional>

#include "clmx/host/array.hpp"
#include "clmx/host/ops_products.hpp"
#include "clmx/host/quantization.hpp"

namespace clmx {

/// What a Tap sees of the quantized ops besides their arrays, which come in the order packed,
/// scales, biases (affine only).
struct DequantizeOptions {
  QuantizationParams params = {};
  std::optional<DType> dtype = {};
};
/// The arrays of MLX's quantize; biases only in affine mode, absent in the floating ones.
struct QuantizedArrays {
  Array packed, scales;
  std::optional<Array> biases;
};

/// Quantizes w: [..., out, in] float, in divisible by group_size.
///
/// packed: u32 [..., out, in * bits / 32]; scales and biases [..., out, in / group_size], of w's
/// dtype (affine) or u8 (floating modes). global_scale: one f32, in nvfp4 only, commonly the
/// largest magnitude of w; what is stored then is w * 2688 / global_scale. Bit for bit as MLX
/// 0.32.4 (CPU), sections Quantizing of docs/formats.md; a device whose arithmetic a probe shows to
/// be inexact (division, denormals) has it computed on the host, with the same bits. NaN has code 0
/// in affine and the E2M1 modes. Throws ArgumentError for non-floats, rank < 2, a width that the
/// group size does not divide or that leaves a word half full (group size 16 with 1, 3 or 5 bits),
/// unsupported parameters, a global_scale in another mode.
QuantizedArrays quantize_arrays(const Array& w, const QuantizationParams& params = {},
                                StreamOrDevice s = {});
QuantizedArrays quantize_arrays(const Array& w, const QuantizationParams& params,
                                const std::optional<Array>& global_scale, StreamOrDevice s = {});

/// As above, as a weight.
QuantizedWeight quantize(const Array& w, const QuantizationParams& params = {},
                         StreamOrDevice s = {});
QuantizedWeight quantize(const Array& w, const QuantizationParams& params,
                         const std::optional<Array>& global_scale, StreamOrDevice s = {});

/// The dense array: rT(rT(rT(code) * scale) + bias) in affine mode with T the wider type of scales
/// and biases, then cast to dtype; rT(element * rT(scale)) with T = dtype in mxfp4 (default bf16,
/// as MLX). Result: [..., out, in].
Array dequantize(const QuantizedArrays& w, const QuantizationParams& params,
                 std::optional<DType> dtype = {}, StreamOrDevice s = {});
Array dequantize(const QuantizedWeight& w, std::optional<DType> dtype = {}, StreamOrDevice s = {});

/// Rows of a quantized matrix, dequantized.
///
/// rows: i32 or u32, any shape; negative ones count from the end. Result: [rows.shape..., in], of
/// dtype (default: as dequantize). affine with dtype f32 computes r32(r32(code * scale) + bias) on
/// the stored, exactly widened scales, whatever their type. Rows held by the host are checked at
/// the call (ArgumentError); rows computed on a device are clamped and reported: the stream's next
/// read, map or synchronize throws ArgumentError.
Array gather_dequantize(const Array& rows, const QuantizedWeight& w,
                        std::optional<DType> dtype = {}, StreamOrDevice s = {});

}  // namespace clmx
