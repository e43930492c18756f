#pragma once

#include <optional>

#include "clmx/host/array.hpp"
#include "clmx/host/ops_products.hpp"
#include "clmx/host/quantization.hpp"

namespace clmx {

/// What a Tap sees of the quantized ops besides their arrays, which come in the order packed,
/// scales, biases (affine only).
/// Inputs of quantize: w, the global scale if there is one; of dequantize likewise at the end.
struct DequantizeOptions {
  QuantizationParams params = {};
  std::optional<DType> dtype = {};
};
/// How mxfp4 and mxfp8 choose a group's power of two from r = largest magnitude / 6 or 448.
enum class ScaleRule {
  round_up,  ///< the smallest not below r, so that nothing saturates: MLX 0.32.4
  nearest    ///< 2^rint(log2 r), the logarithm rounded to w's dtype: MLX up to 0.32.2
};
/// What quantize does, as callers and a Tap see it. `nearest` is computed on the host.
struct QuantizeOptions {
  QuantizationParams params = {};
  ScaleRule scale_rule = ScaleRule::round_up;
};

/// The arrays of MLX's quantize; biases only in affine mode, absent in the floating ones.
struct QuantizedArrays {
  Array packed, scales;
  std::optional<Array> biases;
};

/// Quantizes w: [..., out, in] float, in divisible by group_size.
///
/// packed: u32 [..., out, in * bits / 32]; scales and biases [..., out, in / group_size], of w's
/// dtype (affine) or u8 (floating modes). global_scale: one f32 of any shape, in nvfp4 only,
/// commonly the largest magnitude of w; what is stored then is w * 2688 / global_scale. Bit for bit
/// as MLX 0.32.4 (CPU), sections Quantizing of docs/formats.md; a device whose arithmetic a probe
/// shows to be inexact (division, denormals) has it computed on the host, with the same bits. NaN
/// has code 0 in affine and the E2M1 modes. Throws ArgumentError for non-floats, rank < 2, a width
/// that the group size does not divide or that leaves a word half full (group size 16 with 1, 3 or
/// 5 bits), unsupported parameters, a global_scale in another mode.
QuantizedArrays quantize_arrays(const Array& w, const QuantizationParams& params = {},
                                StreamOrDevice s = {});
QuantizedArrays quantize_arrays(const Array& w, const QuantizeOptions& options,
                                const std::optional<Array>& global_scale, StreamOrDevice s = {});

/// As above, as a weight.
QuantizedWeight quantize(const Array& w, const QuantizationParams& params = {},
                         StreamOrDevice s = {});
QuantizedWeight quantize(const Array& w, const QuantizeOptions& options,
                         const std::optional<Array>& global_scale, StreamOrDevice s = {});
/// MLX's loose spelling. group_size and bits without a value take the mode's default.
QuantizedArrays quantize(const Array& w, std::optional<int> group_size, std::optional<int> bits,
                         const ModeOrName& mode, const std::optional<Array>& global_scale = {},
                         StreamOrDevice s = {});

/// The dense array: [..., out, in]. Affine: rT(rS(rS(code) * scale) + bias) with S the type of the
/// scales and T the wider one of scales and biases, then cast to dtype. Floating modes: rT(element
/// * rT(scale)) with T = dtype (default bf16, as MLX). With a global_scale: element * (scale *
/// (global_scale / 2688)) in f32, then cast to dtype (default bf16). The parts may have any group
/// size and 1 to 32 bits in affine mode if their shapes agree, and biases of one column for all
/// groups. Throws ArgumentError for parts that section 7's checks of MLX refuse, and for a dtype
/// that is no float.
Array dequantize(const QuantizedArrays& w, const QuantizationParams& params,
                 std::optional<DType> dtype = {}, StreamOrDevice s = {});
Array dequantize(const QuantizedWeight& w, std::optional<DType> dtype = {}, StreamOrDevice s = {});
/// MLX's loose spelling: biases in affine mode and only there, global_scale in nvfp4 only.
Array dequantize(const Array& w, const Array& scales, const std::optional<Array>& biases,
                 std::optional<int> group_size = {}, std::optional<int> bits = {},
                 const ModeOrName& mode = QuantizationMode::affine,
                 const std::optional<Array>& global_scale = {}, std::optional<DType> dtype = {},
                 StreamOrDevice s = {});

/// E4M3 codes (u8) of a float array, any shape: nearest, ties to even; magnitudes of 448 and above,
/// infinities and NaN give 448 (0x7e) with the sign. Throws ArgumentError unless x is float.
Array to_fp8(const Array& x, StreamOrDevice s = {});
/// The numbers of E4M3 codes, exact in every float dtype; 0x7f and 0xff give NaN. Throws
/// ArgumentError unless x is u8 and dtype a float.
Array from_fp8(const Array& x, DType dtype = DType::bf16, StreamOrDevice s = {});

/// Rows of a quantized matrix, dequantized.
///
/// rows: i32, u32 or u8, any shape; negative ones count from the end. Result: [rows.shape..., in],
/// of dtype (default: as dequantize). affine with dtype f32 given computes r32(r32(code * scale) +
/// bias) on the stored, exactly widened scales, whatever their type. One kernel in all modes; a
/// stack of matrices, whose rows have no one numbering, is refused. Rows held by the host are
/// checked at the call (ArgumentError); rows computed on a device are clamped and reported: the
/// stream's next read, map or synchronize throws ArgumentError.
Array gather_dequantize(const Array& rows, const QuantizedWeight& w,
                        std::optional<DType> dtype = {}, StreamOrDevice s = {});

/// Puts on the device what products with the transposed weight read there, also under
/// CLMX_TRANSFERS=deny: a layout of its own where the device's kernels want one, and then no other
/// copy stays; else the stored parts.
void copy_weight(const QuantizedWeight& w, StreamOrDevice s = {});
/// The same for gather_dequantize: the stored parts.
void copy_table(const QuantizedWeight& w, StreamOrDevice s = {});
/// The same for ops over a dense array. What is larger than the device's largest allocation goes
/// there in the parts that matmul, gather_mm and take read; so it does above.
void copy_array(const Array& array, StreamOrDevice s = {});

}  // namespace clmx
