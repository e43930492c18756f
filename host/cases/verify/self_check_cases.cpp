#include "self_check_cases.hpp"

#include <algorithm>

#include "canonical_hash.hpp"
#include "case_check.hpp"
#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

constexpr std::uint64_t seed = 20260;

constexpr auto names = std::to_array<std::string_view>({
    "cast/f32_to_f16/rounding_points",
    "cast/f32_to_bf16/rounding_points",
    "cast/f16_to_f32/normal",
    "cast/bf16_to_i32/normal",
    "cast/u32_to_f32",
    "add/f32/[3, 5, 33][3, 5, 33]/normal",
    "add/f16_bf16",
    "multiply/f32/[4, 1, 17][3, 1]/normal",
    "multiply/bf16_bf16",
    "silu/f32/wide",
    "silu/f16/[7, 1000]",
    "swiglu/f32/[257][257]/normal",
    "swiglu_halves/bf16/[3, 5, 34]",
    "gelu/f32/[3, 5, 33]",
    "gelu_approx/f32/[3, 5, 33]",
    "gelu_fast_approx/f32/[3, 5, 33]",
    "relu/f32/[3, 5, 33]",
    "sigmoid/f32/[3, 5, 33]",
    "tanh/f32/[3, 5, 33]",
    "clipped_swiglu/f32_f16/[3, 5, 48]/limit7",
    "argsort/f32/[2, 5, 63]/few",
    "topk/f32/[2, 5, 63]/many/k31",
    "softmax/f32/[3, 5, 48]/scale5",
    "argmax/f32/nan",
    "argmax/f16/[7, 1000]",
    "gather/f32/[2, 7]/i32",
    "gather/f16/[1]/u32",
    "concatenate/f32/[3, 5, 33][3, 5, 1]",
    "concatenate/f16/[7, 64][7, 3][7, 65]",
    "matmul/f32_f32/m1k64n33/normal",
    "matmul/f32_f32/m5k257n31/positive/transposed",
    "matmul/f16_f16/m8k513n64/normal",
    "matmul/bf16_f32/m3k256n17/normal/transposed",
    "matmul/f32/batched_a[3, 2, 50, 9]",
    "quantize/affine4_g64/f32/special",
    "quantize/affine4_g32/f16/normal",
    "quantize/affine8_g64/bf16/normal",
    "quantize/affine8_g32/f32/lognormal",
    "quantize/mxfp44_g32/f32/special",
    "quantize/mxfp88_g32/f32/nearest_scale",
    "quantize/nvfp44_g16/f32/global_scale1",
    "to_fp8/f32/normal",
    "from_fp8/f16/all_codes",
    "dequantize/affine4_g64/f32_to_default/normal",
    "dequantize/affine4_g32/f16_to_f32/normal",
    "dequantize/affine8_g64/bf16_to_default/normal",
    "dequantize/affine8_g32/f32_to_f16/extreme",
    "dequantize/mxfp44_g32/f32_to_bf16/normal",
    "gather_dequantize/affine4_g64/f32_to_default/[2, 3]",
    "gather_dequantize/affine8_g32/f16_to_f32/[5]",
    "gather_dequantize/mxfp44_g32/f32_to_f32/[2, 3]",
    "quantized_matmul/affine4_g64/f32_f32/m1n130k576/normal",
    "quantized_matmul/affine4_g64/f32_f32/m9n40k832/normal",
    "quantized_matmul/affine4_g64/bf16_bf16/m12n66k320/normal/bias",
    "quantized_matmul/affine4_g32/f32_f32/m1n130k576/normal",
    "quantized_matmul/affine4_g32/f16_f16/m1n66k320/normal",
    "quantized_matmul/affine4_g32/f32_f32/m8n257k256/integers",
    "quantized_matmul/affine8_g64/f32_f32/m1n130k576/positive",
    "quantized_matmul/affine8_g32/f32_f32/m7n31k448/normal",
    "quantized_matmul/affine8_g32/f32_f32/m1n33k256/normal",
    "quantized_matmul/mxfp44_g32/f32_f32/m1n130k576/normal",
    "quantized_matmul/mxfp44_g32/f16_f16/m12n66k320/normal",
    "gather_mm/f32_f32/experts/m5k257n16/positive/transposed",
    "gather_qmm/affine4_g64/experts",
    "mpq_matmul/4bits_g64/f16/m1n96k640/dq32/normal",
    "qqmm/nvfp44_g16/f32",
    "rms_norm/f32/[1, 17]/normal",
    "rms_norm/f32_f32/[7, 576]/normal",
    "rms_norm/f16_bf16/[3, 5, 48]/lognormal",
    "rms_norm/bf16/[257, 65]/normal",
    "layer_norm/f32_f32/[3, 5, 48]/normal/weight/bias",
    "rope/f32/bhtd/partial",
    "rope/f16/bthd/traditional/whole",
    "rope_table/f32/bthd/offset",
    "rope_table/bf16/bhtd/whole",
    "attention/f32_b1h9kv3q1k130d64/normal/causal",
    "attention/f32_b1h4kv2q7k7d32/lognormal/causal",
    "attention/f16_b1h4kv2q7k7d32/normal",
    "attention/f32_b2h4kv4q3k11d32/causal/window5",
    "cached_attention/f32/length133/q1/bthd",
    "cached_attention/f16/length64/q1/bhtd",
});

/// With the quick hash, every op of a decoded token.
constexpr auto quick_names = std::to_array<std::string_view>(
    {"argmax/f32/nan", "gather_dequantize/affine4_g64/f32_to_default/[2, 3]"});

const OpCase& case_named(std::string_view name) {
  const std::vector<OpCase>& all = all_cases();
  const auto found = std::ranges::find(all, name, &OpCase::name);
  require(found != all.end(), "self_check", "no case is registered as ", name);
  return *found;
}

std::string wrong_in(std::string_view name, const Device& device) {
  const OpCase& op_case = case_named(name);
  const Inputs inputs = op_case.inputs(seed);
  const Outputs got = run(op_case, inputs, device.default_stream());
  const Verdict verdict = check(got, expected(op_case, inputs), op_case.traits.exact);
  if (!verdict.mismatch) return {};
  const Mismatch& m = *verdict.mismatch;
  return join(m.what, " at element ", m.index, ": got ", m.got, ", wanted ", m.wanted);
}

std::vector<CheckCase> made() {
  std::vector<CheckCase> cases;
  for (const CanonicalHash& each : canonical_hashes()) {
    cases.push_back({std::string(each.name), each.quick, [&each](const Device& device) {
                       const std::uint64_t got = each.hash(device.default_stream());
                       if (got == each.published) return std::string();
                       return join(std::hex, "the hash of the results is ", got, ", not ",
                                   each.published);
                     }});
  }
  for (const std::string_view name : names) {
    cases.push_back({std::string(name), std::ranges::find(quick_names, name) != quick_names.end(),
                     [name](const Device& device) { return wrong_in(name, device); }});
  }
  return cases;
}

}  // namespace

const std::vector<CheckCase>& self_check_cases() {
  static const std::vector<CheckCase> cases = made();
  return cases;
}

std::span<const std::string_view> self_check_case_names() {
  return names;
}

}  // namespace clmx
