#include "golden_ops.hpp"

#include <set>

#include "case_check.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops.hpp"
#include "clmx/nn/embedding.hpp"
#include "clmx/nn/linear.hpp"
#include "golden_mpq.hpp"

namespace clmx {
namespace {

struct Call {
  const GoldenCase& golden;
  const GoldenFamily& family;
  const Stream& stream;

  Array in(const std::string& key) const { return family.input(golden, key); }
  std::optional<Array> maybe(const std::string& key) const {
    return family.optional_input(golden, key);
  }
  QuantizedWeight weight(const std::string& packed = "weight") const {
    return {in(packed), in("scales"), maybe("biases"), quantization_of(golden.args),
            maybe("global_scale")};
  }
};

/// A product has the same bits by either spelling: the typed one keeps a prepared layout and runs
/// the tuned kernels, the loose one cannot.
Array same_product(const Array& loose, const Array& typed) {
  const Verdict verdict = check(typed, as_expected({loose}).front(), true);
  if (verdict.mismatch) {
    throw Error(join("the product by a QuantizedWeight differs from the loose one: ",
                     verdict.mismatch->what, " at element ", verdict.mismatch->index));
  }
  return loose;
}

GoldenOutputs quantize_case(const Call& call) {
  const GoldenArguments& args = call.golden.args;
  const std::string mode = args.text("mode", "affine");
  const QuantizedArrays made =
      quantize(call.in("w"), args.integer("group_size"), args.integer("bits"), mode,
               call.maybe("global_scale"), call.stream);
  GoldenOutputs outputs{{"packed", made.packed}, {"scales", made.scales}};
  if (made.biases) outputs.emplace("biases", *made.biases);
  return outputs;
}

std::optional<DType> dtype_of(const GoldenArguments& args) {
  if (!args.has("dtype")) return {};
  return dtype_named(args.text("dtype", ""));
}

GoldenOutputs dequantize_case(const Call& call) {
  const GoldenArguments& args = call.golden.args;
  const std::string mode = args.text("mode", "affine");
  return {{"w", dequantize(call.in("packed"), call.in("scales"), call.maybe("biases"),
                           args.integer("group_size"), args.integer("bits"), mode,
                           call.maybe("global_scale"), dtype_of(args), call.stream)}};
}

GoldenOutputs to_fp8_case(const Call& call) {
  return {{"y", to_fp8(call.in("x"), call.stream)}};
}

GoldenOutputs from_fp8_case(const Call& call) {
  const DType dtype = dtype_of(call.golden.args).value_or(DType::bf16);
  return {{"y", from_fp8(call.in("x"), dtype, call.stream)}};
}

GoldenOutputs product_case(const Call& call) {
  const QuantizationParams params = quantization_of(call.golden.args);
  const bool transpose = call.golden.args.flag("transpose", true);
  const Array x = call.in("x");
  const Array loose = quantized_matmul(x, call.in("w"), call.in("scales"), call.maybe("biases"),
                                       transpose, params.group_size, params.bits, params.mode,
                                       call.maybe("global_scale"), call.stream);
  const Array typed = quantized_matmul(x, call.weight("w"), {.transpose = transpose}, call.stream);
  return {{"y", same_product(loose, typed)}};
}

GoldenOutputs gather_case(const Call& call) {
  const QuantizationParams params = quantization_of(call.golden.args);
  const GoldenArguments& args = call.golden.args;
  const bool transpose = args.flag("transpose", true);
  const GatherIndices at{call.maybe("lhs_indices"), call.maybe("rhs_indices"),
                         args.flag("sorted_indices", false)};
  const Array x = call.in("x");
  const Array loose = gather_qmm(x, call.in("w"), call.in("scales"), call.maybe("biases"), at.lhs,
                                 at.rhs, transpose, params.group_size, params.bits, params.mode,
                                 at.sorted, call.maybe("global_scale"), call.stream);
  const Array typed = gather_qmm(x, call.weight("w"), at, {.transpose = transpose}, call.stream);
  return {{"y", same_product(loose, typed)}};
}

GoldenOutputs qqmm_case(const Call& call) {
  const QuantizationParams params = qqmm_params(call.golden.args);
  return {{"y", qqmm(call.in("x"), call.in("w"), call.maybe("scales"), params.group_size,
                     params.bits, params.mode, call.maybe("global_scale_x"),
                     call.maybe("global_scale_w"), call.stream)}};
}

GoldenOutputs embedding_case(const Call& call) {
  return {{"y", QuantizedEmbedding(call.weight()).forward(call.in("ids"), call.stream)}};
}

GoldenOutputs as_linear_case(const Call& call) {
  return {{"y", QuantizedEmbedding(call.weight()).as_linear(call.in("x"), call.stream)}};
}

/// The layer as it is made from its dense weight; the stored parts have to come out.
GoldenOutputs linear_case(const Call& call) {
  const QuantizedWeight made =
      quantize(call.in("dense_weight"), quantization_of(call.golden.args), call.stream);
  const QuantizedLinear layer(call.weight(), call.maybe("bias"));
  GoldenOutputs outputs{{"y", layer.forward(call.in("x"), call.stream)},
                        {"weight", made.packed()},
                        {"scales", made.scales()}};
  if (made.biases()) outputs.emplace("biases", *made.biases());
  return outputs;
}

GoldenOutputs attention_case(const Call& call) {
  const GoldenArguments& args = call.golden.args;
  const AttentionOptions options{.scale = static_cast<float>(args.number("scale", 1)),
                                 .causal = args.text("mask", "none") == "causal",
                                 .mask = call.maybe("mask"),
                                 .sinks = call.maybe("sinks")};
  return {{"y", scaled_dot_product_attention(call.in("q"), call.in("k"), call.in("v"), options,
                                             call.stream)}};
}

GoldenOutputs rms_norm_case(const Call& call) {
  const auto eps = static_cast<float>(call.golden.args.number("eps", 1e-5));
  return {{"y", rms_norm(call.in("x"), call.maybe("weight"), eps, call.stream)}};
}

GoldenOutputs layer_norm_case(const Call& call) {
  const auto eps = static_cast<float>(call.golden.args.number("eps", 1e-5));
  return {
      {"y", layer_norm(call.in("x"), call.maybe("weight"), call.maybe("bias"), eps, call.stream)}};
}

GoldenOutputs softmax_case(const Call& call) {
  return {{"y", softmax(call.in("x"), call.stream)}};
}

GoldenOutputs clipped_swiglu_case(const Call& call) {
  const GoldenArguments& args = call.golden.args;
  const ClippedSwigluOptions options{.alpha = static_cast<float>(args.number("alpha", 1.702)),
                                     .limit = static_cast<float>(args.number("limit", 7))};
  return {{"y", clipped_swiglu(call.in("gate"), call.in("x"), options, call.stream)}};
}

GoldenOutputs silu_case(const Call& call) {
  return {{"y", silu(call.in("x"), call.stream)}};
}

GoldenOutputs swiglu_case(const Call& call) {
  return {{"y", swiglu(call.in("gate"), call.in("x"), call.stream)}};
}

GoldenOutputs rope_case(const Call& call) {
  const RopeOptions options = rope_options(call.golden.args, call.maybe("freqs"));
  return {{"y", rope(call.in("x"), options, call.stream)}};
}

GoldenOutputs mpq_case(const Call& call) {
  return run_mpq(call.golden, call.family, call.stream);
}

using Runner = GoldenOutputs (*)(const Call&);

Runner runner_of(const std::string& op) {
  static const std::map<std::string, Runner> runners{
      {"quantize", quantize_case},
      {"dequantize", dequantize_case},
      {"to_fp8", to_fp8_case},
      {"from_fp8", from_fp8_case},
      {"quantized_matmul", product_case},
      {"gather_qmm", gather_case},
      {"qqmm", qqmm_case},
      {"quantized_embedding", embedding_case},
      {"embedding_as_linear", as_linear_case},
      {"quantized_linear", linear_case},
      {"scaled_dot_product_attention", attention_case},
      {"rms_norm", rms_norm_case},
      {"layer_norm", layer_norm_case},
      {"softmax", softmax_case},
      {"swiglu_oai", clipped_swiglu_case},
      {"silu", silu_case},
      {"swiglu", swiglu_case},
      {"rope", rope_case},
      {"mpq_prepare", mpq_case},
      {"mpq_forward", mpq_case}};
  const auto found = runners.find(op);
  return found == runners.end() ? nullptr : found->second;
}

}  // namespace

QuantizationParams quantization_of(const GoldenArguments& args) {
  return {mode_from_string(args.text("mode", "affine"), "verify"), args.integer("group_size"),
          args.integer("bits")};
}

QuantizationParams qqmm_params(const GoldenArguments& args) {
  return {mode_from_string(args.text("mode", "nvfp4"), "verify"), args.integer("group_size"),
          args.integer("bits")};
}

bool is_mode(const std::string& name) {
  try {
    static_cast<void>(mode_from_string(name, "verify"));
    return true;
  } catch (const ArgumentError&) {
    return false;
  }
}

RopeOptions rope_options(const GoldenArguments& args, const std::optional<Array>& freqs) {
  RopeOptions options{.dims = args.integer("dims").value_or(0),
                      .traditional = args.flag("traditional", false),
                      .base = {},
                      .scale = args.number("scale", 1),
                      .offset = args.integer("offset").value_or(0)};
  if (args.has("base")) options.base = args.number("base", 0);
  if (freqs) {
    const std::vector<float> values = freqs->to_vector<float>();
    options.periods = std::vector<double>(values.begin(), values.end());
  }
  return options;
}

DType dtype_named(const std::string& name) {
  for (const DType dtype :
       {DType::f32, DType::f16, DType::bf16, DType::u8, DType::u32, DType::i32}) {
    if (to_string(dtype) == name) return dtype;
  }
  throw ArgumentError(join("[verify] clmx has no dtype '", name, "'"));
}

bool is_covered(const GoldenCase& golden, const GoldenFamily& family) {
  if (!runner_of(golden.op)) return false;
  const GoldenArguments& args = golden.args;
  if (!is_mode(args.text("mode", "affine"))) return false;
  if (golden.op == "softmax") {
    const int axis = args.integer("axis").value_or(-1);
    return axis == -1 || axis == family.rank(golden, "x") - 1;
  }
  if (golden.op == "scaled_dot_product_attention") {
    const std::string mask = args.text("mask", "none");
    return mask == "none" || mask == "causal" || golden.inputs.contains("mask");
  }
  return true;
}

GoldenOutputs run_golden(const GoldenCase& golden, const GoldenFamily& family,
                         const Stream& stream) {
  const Runner runner = runner_of(golden.op);
  require(runner != nullptr, "verify", "there is no op '", golden.op, "'");
  return runner({golden, family, stream});
}

}  // namespace clmx
