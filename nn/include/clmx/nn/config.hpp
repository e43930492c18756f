#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clmx/host/gguf.hpp"
#include "clmx/host/ops_transformer.hpp"
#include "clmx/host/quantization.hpp"

namespace clmx {

/// What a model of the llama family is made of.
struct LlamaConfig {
  std::int64_t hidden_size = 0, intermediate_size = 0, layers = 0;
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
  std::int64_t vocabulary = 0;
  std::int64_t context = 0;  ///< positions
  float rms_norm_eps = 1e-5f;
  bool tied_head = true;
  RopeOptions rope;                    ///< dims, style, frequencies and scale
  std::vector<std::int32_t> eos = {};  ///< ids that end an answer
};

/// Throws FormatError when the sizes contradict each other or exceed what any model has.
void check_config(const LlamaConfig& config, const std::string& file);

/// How the tensors of an MLX folder are quantized, as config.json declares it.
class QuantizationConfig {
 public:
  /// Every path dense unless its tensors say otherwise.
  QuantizationConfig() = default;
  /// by_path: absent parameters stand for `false`, a layer declared dense.
  explicit QuantizationConfig(std::map<std::string, std::optional<QuantizationParams>> by_path)
      : by_path_(std::move(by_path)) {}

  /// What is stored under one path.
  struct Stored {
    bool has_scales = false, byte_scales = false;
    std::int64_t packed_columns = 0, scale_columns = 0;
  };
  /// The parameters of the matrix at path, in_features wide: those declared for the path, else
  /// those that the shapes imply (mlx-lm's order); absent: dense. Throws ArgumentError when
  /// declaration and shapes differ, or no parameters fit.
  std::optional<QuantizationParams> at(const std::string& path, const Stored& stored,
                                       std::int64_t in_features) const;

 private:
  std::map<std::string, std::optional<QuantizationParams>> by_path_;
};

/// "quantization" of a config.json of any model. config: its text; file: for messages. Throws
/// FormatError.
QuantizationConfig parse_quantization(std::string_view config, const std::string& file);

/// config.json of a model of the llama family.
struct FolderConfig {
  LlamaConfig model;
  QuantizationConfig quantization;
};
/// config: the text of config.json; generation: that of generation_config.json or empty, whose
/// eos_token_id goes first. file: for messages. Throws FormatError for what is missing, out of
/// range or of another family. Rotary scaling: default, linear, llama3 (as mlx-lm).
FolderConfig parse_config(std::string_view config, std::string_view generation,
                          const std::string& file);

/// The same from GGUF metadata (general.architecture llama) and the shapes of its tensors.
LlamaConfig parse_config(const GgufFile& file);

}  // namespace clmx
