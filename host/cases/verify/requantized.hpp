#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "clmx/nn/language_model.hpp"

namespace clmx {

/// A way to quantize, as it is written: "affine4" (bits; groups of 64), "affine4g32" (groups of
/// 32), "mxfp4", "mxfp8", "nvfp4".
struct NamedMode {
  std::string name;
  QuantizationParams params;
};
/// Several, with commas between. Throws ArgumentError for anything else, for a mode that comes
/// twice, and for bits and groups that clmx does not compute with.
std::vector<NamedMode> parse_modes(std::string_view text);

/// A model in another mode.
struct RequantizedModel {
  std::unique_ptr<LanguageModel> model;
  std::size_t layers = 0;         ///< quantized
  std::vector<std::string> kept;  ///< layers whose width the groups do not divide, as they were
};
/// The model with every layer that has a quantized form in the given one, in memory; the source
/// stays as it is. Weights that are quantized already are dequantized first, layer by layer, to the
/// type of their scales (affine) or bf16. Throws ArgumentError when no layer can be quantized.
RequantizedModel requantized(LanguageModel& source, const QuantizationParams& params,
                             StreamOrDevice s = {});

/// Bytes of all parameters.
std::uint64_t parameter_bytes(LanguageModel& model);

}  // namespace clmx
