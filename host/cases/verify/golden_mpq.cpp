#include "golden_mpq.hpp"

#include "clmx/host/mpq.hpp"
#include "clmx/host/ops.hpp"

namespace clmx {
namespace {

QuantizedWeight unpacked(const GoldenCase& golden, const GoldenFamily& family) {
  const auto in = [&](const char* key) { return family.input(golden, key); };
  const MpqParams params{golden.args.integer("w_bit").value_or(0),
                         golden.args.integer("group_size").value_or(0)};
  if (golden.inputs.contains("qzeros")) {
    return unpack_gptq(
        {in("qweight"), in("qzeros"), in("scales"), family.optional_input(golden, "g_idx")},
        params);
  }
  return unpack_mpq({in("qweight"), in("qstatistic"), in("qscales_zeros"), in("qscales_scales"),
                     in("qzeros_zeros"), in("qzeros_scales")},
                    params);
}

}  // namespace

GoldenOutputs run_mpq(const GoldenCase& golden, const GoldenFamily& family, const Stream& stream) {
  const QuantizedWeight weight = unpacked(golden, family);
  if (golden.op == "mpq_prepare") {
    return {{"weight", weight.packed()}, {"scales", weight.scales()}, {"biases", *weight.biases()}};
  }
  const QmmOptions options{.bias = family.optional_input(golden, "bias"), .dtype = DType::f16};
  return {{"y", quantized_matmul(family.input(golden, "x"), weight, options, stream)}};
}

}  // namespace clmx
