#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "clmx/nn/checkpoint.hpp"
#include "clmx/nn/config.hpp"
#include "clmx/nn/language_model.hpp"
#include "clmx/nn/tokenizer.hpp"

namespace clmx {

struct LoadOptions {
  DType dtype = DType::f32;  ///< of activations and logits; stored weights stay as they are
  Strictness strictness = Strictness::strict;
};

/// A model on disk, opened and its configuration checked: an MLX folder or a .gguf file. Any thread
/// may use it.
class ModelFile {
 public:
  /// Throws FormatError when it is missing, cut off, inconsistent or of an unsupported kind.
  explicit ModelFile(const std::filesystem::path& path);
  const std::filesystem::path& path() const { return path_; }
  const LlamaConfig& config() const { return config_; }
  const Checkpoint& checkpoint() const { return *checkpoint_; }
  /// Reads the weights. They go to a device when it first computes with them.
  std::unique_ptr<LanguageModel> load(const LoadOptions& options = {}) const;
  /// Throws FormatError when there is none or it is of an unsupported kind.
  Tokenizer tokenizer() const;

 private:
  std::filesystem::path path_;
  std::shared_ptr<const GgufFile> gguf_;  // null for a folder
  LlamaConfig config_;
  std::unique_ptr<Checkpoint> checkpoint_;
};

/// ModelFile(path).load(options).
std::unique_ptr<LanguageModel> load_model(const std::filesystem::path& path,
                                          const LoadOptions& options = {});

/// Where clmx keeps what it was given: ${XDG_DATA_HOME:-$HOME/.local/share}/clmx.
std::filesystem::path data_folder();
/// CLMX_MODEL, else models/SmolLM2-135M-Instruct.Q4_1.gguf in data_folder().
std::filesystem::path default_model_path();

}  // namespace clmx
