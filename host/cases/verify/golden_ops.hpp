#pragma once

#include <map>
#include <string>

#include "clmx/host/ops_transformer.hpp"
#include "clmx/host/quantization.hpp"
#include "golden_manifest.hpp"

namespace clmx {

/// Results by the names that the case gives its outputs; a product or a function gives "y".
using GoldenOutputs = std::map<std::string, Array>;

/// Mode, group size and bits of a case. Throws ArgumentError for an unknown mode.
QuantizationParams quantization_of(const GoldenArguments& args);
/// Those of qqmm, whose default mode is another.
QuantizationParams qqmm_params(const GoldenArguments& args);
/// Those of rope; freqs: the tensor of that name, as far as given.
RopeOptions rope_options(const GoldenArguments& args, const std::optional<Array>& freqs);
/// "f32" and the like; throws ArgumentError naming verify for a dtype that clmx lacks.
DType dtype_named(const std::string& name);

/// Whether clmx has the op and the mode of the case.
bool is_covered(const GoldenCase& golden, const GoldenFamily& family);
/// Runs a covered case on the stream.
GoldenOutputs run_golden(const GoldenCase& golden, const GoldenFamily& family,
                         const Stream& stream);

}  // namespace clmx
