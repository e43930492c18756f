#pragma once

#include <optional>
#include <string>

#include "clmx/nn/checkpoint.hpp"
#include "clmx/nn/config.hpp"

namespace clmx {

/// The quantized matrix of the tensors weight, scales, biases and global_scale at path; absent when
/// the path is dense. Throws FormatError for parameters or parts that do not fit.
std::optional<QuantizedWeight> stored_weight(const Checkpoint& from, const std::string& path,
                                             const QuantizationConfig& config,
                                             const QuantizationConfig::Stored& stored,
                                             std::int64_t in_features);

}  // namespace clmx
