#pragma once

#include <optional>

#include "clmx/host/array.hpp"
#include "clmx/host/quantization.hpp"

namespace clmx {

/// What a Tap sees of a product besides its arrays. Inputs: x, packed, scales, then those that
/// there are of biases, global_scale, bias and, of gather_qmm, lhs and rhs.
struct QuantizedMatmulOptions {
  QuantizationParams params = {};
  bool has_bias = false;
  std::optional<DType> dtype = {};
  bool transpose = true;
  bool has_global_scale = false;
};
struct GatherQmmOptions {
  QuantizedMatmulOptions product = {};
  bool has_lhs = false, has_rhs = false;
};

/// Inputs: a, b, then those that there are of lhs and rhs.
struct GatherMmOptions {
  bool transpose_b = false, has_lhs = false, has_rhs = false;
};

/// Inputs: as of quantized_matmul, then the global_scale of x.
struct QqmmOptions {
  QuantizationParams params = {};
  bool has_global_scales = false;
};

struct QmmOptions {
  bool transpose = true;            ///< x W^T; false: x W
  std::optional<Array> bias = {};   ///< [columns of the result] float, added to the f32 sum before
                                    ///< it is rounded
  std::optional<DType> dtype = {};  ///< result type; default MLX's: promotion of x, scales, biases
                                    ///< (affine), x's (floating modes)
};

/// y = x W^T (+ bias), or x W with transpose = false. W is quantized along its rows in both cases.
///
/// w: [out, in]. x: [..., in] float (untransposed [..., out]); in affine mode also integer, cast to
/// the promoted type. Result: [..., out] (untransposed [..., in]); a vector gives a vector. A stack
/// of weights needs x with more than two axes: the batch axes of both broadcast. Accumulates in f32
/// in the canonical order (docs/architecture.md): the bits of a row do not depend on the other
/// rows, the device or the kernel. Where an axis is 0 the result is empty, or zeros (plus bias) for
/// an inner size of 0. Throws ArgumentError, enqueuing nothing, if the inner sizes differ, x is an
/// integer in a floating mode, a stack meets a matrix or vector x, or batch axes do not broadcast.
Array quantized_matmul(const Array& x, const QuantizedWeight& w, const QmmOptions& options = {},
                       StreamOrDevice s = {});

/// MLX's loose spelling: w, scales, biases as separate arrays, checked as MLX checks them. Group
/// size and bits default to those of the mode. global_scale: in nvfp4 only.
// NOLINTNEXTLINE(readability-function-size)
Array quantized_matmul(const Array& x, const Array& w, const Array& scales,
                       const std::optional<Array>& biases, bool transpose = true,
                       std::optional<int> group_size = {}, std::optional<int> bits = {},
                       const ModeOrName& mode = QuantizationMode::affine,
                       const std::optional<Array>& global_scale = {}, StreamOrDevice s = {});

/// Which matrices gather_qmm and gather_mm multiply.
struct GatherIndices {
  std::optional<Array> lhs = {};  ///< of x (a): flat over all its axes but the last two
  std::optional<Array> rhs = {};  ///< of the weight (b): flat over its batch axes
  bool sorted = false;            ///< a hint; it never changes the result
};

/// Throws ArgumentError, under the names of the op and the indices, unless they are integers and,
/// as far as the host holds them, in [0, count): what gather_qmm and gather_mm refuse.
void check_gather_indices(const Array& indices, std::int64_t count, std::string_view name,
                          std::string_view op);

/// Products of chosen matrices of x with chosen matrices of a stack (experts).
///
/// lhs, rhs: i32, u32 or u8 of any shapes that broadcast against each other, to I; a missing one is
/// 0, 1, ... in the batch shape of its operand. x: [..., M, in] (untransposed [..., M, out]).
/// Result: I + [M, out] (untransposed I + [M, in]), each matrix with the bits of quantized_matmul;
/// without indices it is quantized_matmul. Indices that the host holds are checked at the call
/// (ArgumentError); those computed on a device are clamped and reported: the stream's next read,
/// map or synchronize throws ArgumentError. Negative ones are out of range. Other errors as above.
Array gather_qmm(const Array& x, const QuantizedWeight& w, const GatherIndices& at,
                 const QmmOptions& options = {}, StreamOrDevice s = {});

/// MLX's loose spelling.
// NOLINTNEXTLINE(readability-function-size)
Array gather_qmm(const Array& x, const Array& w, const Array& scales,
                 const std::optional<Array>& biases, const std::optional<Array>& lhs_indices = {},
                 const std::optional<Array>& rhs_indices = {}, bool transpose = true,
                 std::optional<int> group_size = {}, std::optional<int> bits = {},
                 const ModeOrName& mode = QuantizationMode::affine, bool sorted_indices = false,
                 const std::optional<Array>& global_scale = {}, StreamOrDevice s = {});

/// Dense products of chosen matrices of a with chosen matrices of a stack b (experts), as
/// gather_qmm chooses them.
///
/// a: [..., M, in] float; b: [..., in, out] float, with transpose_b [..., out, in], the storage of
/// a layer's weight. Result: I + [M, out] in the promoted dtype, each matrix with the bits of
/// matmul. Without indices the batch axes of a and b broadcast to I. Where an axis is 0 the result
/// is empty, or zeros for an inner size of 0. Throws ArgumentError, enqueuing nothing, for arrays
/// that are not float or have fewer than two axes, inner sizes that differ, indices as gather_qmm
/// does.
Array gather_mm(const Array& a, const Array& b, const GatherIndices& at, bool transpose_b = false,
                StreamOrDevice s = {});

/// MLX's spelling.
Array gather_mm(const Array& a, const Array& b, const std::optional<Array>& lhs_indices = {},
                const std::optional<Array>& rhs_indices = {}, bool sorted_indices = false,
                StreamOrDevice s = {});

/// y = xq W^T with xq = x quantized to the weight's format and back: mxfp4, mxfp8 or nvfp4.
///
/// The rounding of x is not that of quantize: all of it is in f32, E2M1 takes the nearest number
/// with ties to even and keeps the sign of zero, and xq = rT(scale * element), T the dtype of x. x:
/// [..., in] float, any number of rows; w: a matrix; result: [..., out] of x's dtype, the bits of
/// quantized_matmul of xq. global_scale_x: one f32, in nvfp4, if and only if the weight has one.
/// Throws ArgumentError, enqueuing nothing, for affine weights, stacks, an x that is not float or
/// of another width, one global scale without the other.
Array qqmm(const Array& x, const QuantizedWeight& w,
           const std::optional<Array>& global_scale_x = {}, StreamOrDevice s = {});

/// MLX's loose spelling. w: packed words with their scales, or, without scales, a float matrix,
/// which is quantized first.
// NOLINTNEXTLINE(readability-function-size)
Array qqmm(const Array& x, const Array& w, const std::optional<Array>& scales,
           std::optional<int> group_size = {}, std::optional<int> bits = {},
           const ModeOrName& mode = QuantizationMode::nvfp4,
           const std::optional<Array>& global_scale_x = {},
           const std::optional<Array>& global_scale_w = {}, StreamOrDevice s = {});

}  // namespace clmx
