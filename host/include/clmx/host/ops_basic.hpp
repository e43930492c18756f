#pragma once

#include "clmx/host/array.hpp"

namespace clmx {

/// Options of ops that have none, as a Tap sees them.
struct NoOptions {};
struct CastOptions {
  DType dtype = DType::f32;
};
struct MatmulOptions {
  bool transpose_b = false;
};

/// x in another dtype: floats round to nearest even; float to integer truncates and saturates, NaN
/// gives 0.
Array cast(const Array& x, DType dtype, StreamOrDevice s = {});
/// Elementwise over broadcast shapes, in the promoted float dtype (computed in f32, rounded once).
/// Throws ArgumentError unless both are float.
Array add(const Array& a, const Array& b, StreamOrDevice s = {});
Array multiply(const Array& a, const Array& b, StreamOrDevice s = {});
/// x * sigmoid(x), float, any shape; f32 arithmetic, rounded once.
Array silu(const Array& x, StreamOrDevice s = {});
/// silu(gate) * x, equal shapes, promoted dtype.
Array swiglu(const Array& gate, const Array& x, StreamOrDevice s = {});
/// swiglu of the two halves of the last axis: x is [..., 2 n], gate first. Result: [..., n]. For
/// fused projections.
Array swiglu_halves(const Array& x, StreamOrDevice s = {});
/// The normal distribution's x Phi(x) = x (1 + erf(x / sqrt 2)) / 2 (MLX's nn.gelu), float, any
/// shape; f32 arithmetic, rounded once.
Array gelu(const Array& x, StreamOrDevice s = {});
/// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 (MLX's nn.gelu_approx), as x sigmoid(2 u).
Array gelu_approx(const Array& x, StreamOrDevice s = {});
/// x sigmoid(1.702 x) (MLX's nn.gelu_fast_approx).
Array gelu_fast_approx(const Array& x, StreamOrDevice s = {});
/// max(x, 0), NaN where x is.
Array relu(const Array& x, StreamOrDevice s = {});
/// 1 / (1 + exp(-x)).
Array sigmoid(const Array& x, StreamOrDevice s = {});
/// Hyperbolic tangent.
Array tanh(const Array& x, StreamOrDevice s = {});
struct ClippedSwigluOptions {
  float alpha = 1.702f;
  float limit = 7.0f;
};
/// The activation of GPT-OSS: g sigmoid(alpha g) (x' + 1) with g = min(gate, limit), x' = x clipped
/// to [-limit, limit]. Equal shapes, float, promoted dtype; f32 arithmetic, rounded once. Throws
/// ArgumentError when limit is negative or NaN.
Array clipped_swiglu(const Array& gate, const Array& x, const ClippedSwigluOptions& options = {},
                     StreamOrDevice s = {});
/// Indices that sort the last axis: ascending, equals in their order. NaN comes after everything,
/// equal to NaN; the two zeros are equal. x: at least one axis, any element dtype. Result: u32,
/// x.shape.
Array argsort(const Array& x, StreamOrDevice s = {});
/// The k largest elements of each row, in ascending order, and where they are.
struct TopK {
  Array values;   ///< [..., k], x's dtype
  Array indices;  ///< [..., k] u32
};
struct TopKOptions {
  std::int64_t k = 1;
};
/// The last k of argsort(x) and the elements there: of equals the later ones; NaN counts as
/// the largest.
/// x: [..., n], any element dtype. Throws ArgumentError unless 0 <= k <= n.
TopK topk(const Array& x, std::int64_t k, StreamOrDevice s = {});
/// Index of the largest element along the last axis (the first of equals; NaN never wins unless all
/// are). Result: i32, x.shape without it.
Array argmax(const Array& x, StreamOrDevice s = {});
/// Rows of a dense table [n, dim], any element dtype. rows: i32, u32 or u8, any shape; negative
/// ones count from the end. Result: [rows.shape..., dim]. Rows held by the host are checked at the
/// call; rows computed on a device are clamped and reported: the next read, map or synchronize of
/// the stream throws ArgumentError.
Array gather(const Array& table, const Array& rows, StreamOrDevice s = {});
/// a b, or a b^T with transpose_b. a: [..., m, k], b: [n, k] or [k, n] or with a's leading axes;
/// floats, promoted dtype. Canonical order: t = fma(b_k, a_k, t) in blocks of 256 k, blocks added
/// by the tree.
Array matmul(const Array& a, const Array& b, bool transpose_b = false, StreamOrDevice s = {});

}  // namespace clmx
