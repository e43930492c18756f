#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "clmx/host/safetensors_writer.hpp"
#include "clmx/nn/quantize_checkpoint.hpp"
#include "folder_checkpoint.hpp"

namespace clmx {

/// What is written for one tensor of a source: the tensor as it is, or the parts of a quantized
/// weight.
struct CheckpointStep {
  std::string source;                        ///< the tensor's name
  std::optional<QuantizationParams> params;  ///< absent: copied
  std::vector<TensorDeclaration> outputs;    ///< quantized: weight, scales, biases (affine)
  std::uint64_t output_bytes = 0;
};

/// All steps, and what config.json is to say of them.
// Moving JSON throws nothing. NOLINTNEXTLINE(bugprone-exception-escape)
struct CheckpointSteps {
  std::vector<CheckpointStep> steps;  ///< by name of the source's tensors
  QuantizedCheckpoint report;         ///< but for files
  nlohmann::json quantization;        ///< the object "quantization"
};

/// config: that of the source. Throws FormatError and ArgumentError as quantize_checkpoint.
CheckpointSteps plan_checkpoint(const FolderCheckpoint& source, const nlohmann::json& config,
                                const QuantizeCheckpointOptions& options);

}  // namespace clmx
