#include "clmx/devices/error.hpp"
#include "clmx/nn/config.hpp"

namespace clmx {
namespace {

/// Group size and bits from the number of columns alone.
struct Implied {
  std::int64_t group_size = 0, bits = 0;
};

Implied implied_by(const QuantizationConfig::Stored& stored, std::int64_t in_features,
                   const std::string& path) {
  const bool fits = stored.scale_columns > 0 && in_features % stored.scale_columns == 0 &&
                    stored.packed_columns * 32 % in_features == 0;
  require(fits, "quantization", path, ": ", stored.packed_columns, " words and ",
          stored.scale_columns, " scales a row do not divide a width of ", in_features);
  return {in_features / stored.scale_columns, stored.packed_columns * 32 / in_features};
}

QuantizationParams inferred(const Implied& implied, bool byte_scales, const std::string& path) {
  QuantizationParams params;
  params.group_size = static_cast<int>(implied.group_size);
  params.bits = static_cast<int>(implied.bits);
  if (!byte_scales) return params;
  if (implied.bits == 4 && implied.group_size == 16) {
    params.mode = QuantizationMode::nvfp4;
  } else if (implied.bits == 4 && implied.group_size == 32) {
    params.mode = QuantizationMode::mxfp4;
  } else if (implied.bits == 8 && implied.group_size == 32) {
    params.mode = QuantizationMode::mxfp8;
  } else {
    throw ArgumentError(join("[quantization] ", path, ": no mode has ", implied.bits,
                             " bits, byte scales and groups of ", implied.group_size));
  }
  return params;
}

}  // namespace

std::optional<QuantizationParams> QuantizationConfig::at(const std::string& path,
                                                         const Stored& stored,
                                                         std::int64_t in_features) const {
  const auto declared = by_path_.find(path);
  if (declared != by_path_.end() && !declared->second) return std::nullopt;
  if (!stored.has_scales) {
    require(declared == by_path_.end(), "quantization", path,
            " is declared quantized but has no scales");
    return std::nullopt;
  }
  const Implied implied = implied_by(stored, in_features, path);
  if (declared == by_path_.end()) return inferred(implied, stored.byte_scales, path);
  const QuantizationParams& params = *declared->second;
  require(params.group() == implied.group_size && params.bit_count() == implied.bits &&
              (params.mode != QuantizationMode::affine) == stored.byte_scales,
          "quantization", path, " is declared ", params.mode, " with ", params.bit_count(),
          " bits and groups of ", params.group(), ", its tensors hold ", implied.bits,
          " bits and groups of ", implied.group_size);
  return params;
}

}  // namespace clmx
