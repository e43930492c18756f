#include "stored_weight.hpp"

#include "clmx/devices/error.hpp"
#include "clmx/nn/module.hpp"

namespace clmx {

std::optional<QuantizedWeight> stored_weight(const Checkpoint& from, const std::string& path,
                                             const QuantizationConfig& config,
                                             const QuantizationConfig::Stored& stored,
                                             std::int64_t in_features) {
  const auto part = [&](const char* name) { return from.array(join_path(path, name)); };
  const auto part_if = [&](const char* name) {
    return from.has(join_path(path, name)) ? std::optional(part(name)) : std::nullopt;
  };
  try {
    const auto params = config.at(path, stored, in_features);
    if (!params) return std::nullopt;
    check_supported(*params, path);
    return QuantizedWeight(part("weight"), part("scales"), part_if("biases"), *params,
                           part_if("global_scale"));
  } catch (const ArgumentError& error) {
    throw FormatError(from.where(), 0, "tensor " + join_path(path, "weight") + ": " + error.what());
  }
}

}  // namespace clmx
