#pragma once

#include <optional>

#include "op_case.hpp"

/// Every op in float64 of its stored inputs, written from the formulas and not from the kernels.
///
/// Budgets. A sum whose longest chain of f32 additions has n links (chain plus depth of the tree)
/// may be off by chain_units(n) 2^-24 A, A = the sum of the magnitudes of its terms: measured, this
/// covers data of one sign, and it is below the proven (n + 6) 2^-24 A.
namespace clmx::reference {

double chain_units(std::int64_t links);
/// Depth of the balanced tree over n blocks: ceil(log2 n).
std::int64_t tree_depth(std::int64_t blocks);

/// Exact. Floats round to nearest even; float to integer truncates and saturates, NaN gives 0.
Expected cast(const DoubleArray& x, DType to);
/// Exact: f32 arithmetic on broadcast operands, one rounding to the promoted dtype.
Expected add(const DoubleArray& a, const DoubleArray& b);
Expected multiply(const DoubleArray& a, const DoubleArray& b);
/// x / (1 + exp(-x)), times other operands; 8 and 9 units of 2^-24.
Expected silu(const DoubleArray& x);
Expected swiglu(const DoubleArray& gate, const DoubleArray& x);
Expected swiglu_halves(const DoubleArray& x);
/// Exact. Stable, NaN last, the two zeros equal; the last k: values, then indices.
Expected argsort(const DoubleArray& x);
std::vector<Expected> topk(const DoubleArray& x, const TopKOptions& options);
/// Exact. The first of equals; NaN wins only over NaN.
Expected argmax(const DoubleArray& x);
/// Exact.
Expected gather(const DoubleArray& table, const DoubleArray& rows);
Expected concatenate(const Doubles& parts);
/// Blocks of 256 k and the tree.
Expected matmul(const DoubleArray& a, const DoubleArray& b, bool transpose_b);

/// (d / 2 + 6) 2^-24 with d = n / 16 + 4, and with a weight the rounding to x's dtype in between.
Expected rms_norm(const DoubleArray& x, const DoubleArray* weight, float eps);
/// 5 units of 2^-24 |x|; the other two and the clipped form: 9 units, and a few times the argument
/// of the exponential.
Expected gelu(const DoubleArray& x);
Expected gelu_approx(const DoubleArray& x);
Expected gelu_fast_approx(const DoubleArray& x);
/// Exact; 6 and 2 units of 2^-24.
Expected relu(const DoubleArray& x);
Expected sigmoid(const DoubleArray& x);
Expected tanh(const DoubleArray& x);
Expected clipped_swiglu(const DoubleArray& gate, const DoubleArray& x,
                        const ClippedSwigluOptions& options);
/// The chain of each sum, the error of the mean, the roundings to the result's dtype in between.
Expected layer_norm(const DoubleArray& x, const DoubleArray* weight, const DoubleArray* bias,
                    float eps);
/// The chain of the sum, and the distances to the maximum: an argument's error is its weight's.
Expected softmax(const DoubleArray& x);
/// Rotation by tables in float64: 2 units of 2^-24 of |a cos| + |b sin|.
Expected rope(const DoubleArray& x, const RopeOptions& options);
Expected rope_table(const DoubleArray& x, const DoubleArray& cos, const DoubleArray& sin,
                    const RopeTableOptions& options);
/// q, k and v in the layout of the options, then mask and sinks as far as the options have them
/// (the options' own arrays are not read). The error of a score counts twice, the sums over keys
/// once for numerator and denominator each.
Expected attention(const Doubles& in, const AttentionOptions& options);
/// k and v: [batch, kv_heads, capacity, dim], of which options.length positions count.
Expected cached_attention(const Doubles& in, const CachedAttentionOptions& options);

/// The parts of a quantized matrix [..., out, in].
struct Weight {
  const DoubleArray& packed;
  const DoubleArray& scales;
  const DoubleArray* biases;
  QuantizationParams params;
  const DoubleArray* global_scale = nullptr;
};
/// Exact: packed, scales and, in affine mode, biases. global_scale may be null.
std::vector<Expected> quantize(const DoubleArray& w, const QuantizeOptions& options,
                               const DoubleArray* global_scale);
/// Exact.
Expected to_fp8(const DoubleArray& x);
Expected from_fp8(const DoubleArray& x, DType dtype);
/// Exact, with the roundings of the format: two, in f32 with a global scale.
Expected dequantize(const Weight& w, std::optional<DType> dtype);
Expected gather_dequantize(const DoubleArray& rows, const Weight& w, std::optional<DType> dtype);

struct ProductDetails {
  bool transpose = true;
  const DoubleArray* bias = nullptr;
  std::optional<DType> dtype = {};
};
/// The sum over exact weights, A = sum |x| (|scale code| + |bias|); the group chain, the chain of
/// groups in a block of 256, the tree; without transpose the chain of a block and the tree.
Expected quantized_matmul(const DoubleArray& x, const Weight& w, const ProductDetails& details);
/// The same of chosen matrices; lhs and rhs may be null.
Expected gather_qmm(const DoubleArray& x, const Weight& w, const DoubleArray* lhs,
                    const DoubleArray* rhs, const ProductDetails& details);
/// matmul of chosen matrices; lhs and rhs may be null.
Expected gather_mm(const DoubleArray& a, const DoubleArray& b, const DoubleArray* lhs,
                   const DoubleArray* rhs, bool transpose_b);

/// What qqmm makes of x: groups rounded in f32 to the format of the weight and back.
DoubleArray rounded_activation(const DoubleArray& x, const QuantizationParams& params,
                               const DoubleArray* global_scale);
/// The product of that, within the budget of quantized_matmul.
Expected qqmm(const DoubleArray& x, const Weight& w, const DoubleArray* global_scale_x);

}  // namespace clmx::reference
