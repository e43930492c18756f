#include "clmx/nn/model_file.hpp"

#include "clmx/devices/error.hpp"
#include "clmx/nn/llama.hpp"
#include "folder_checkpoint.hpp"
#include "gguf_checkpoint.hpp"

namespace clmx {
namespace fs = std::filesystem;

ModelFile::ModelFile(const fs::path& path) : path_(path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    throw FormatError(path.string(), 0, error ? error.message() : "there is no such model");
  }
  if (!fs::is_directory(path, error)) {
    gguf_ = std::make_shared<const GgufFile>(path);
    config_ = parse_config(*gguf_);
    checkpoint_ = std::make_unique<GgufCheckpoint>(gguf_, config_);
    return;
  }
  const fs::path config_json = path / "config.json";
  const std::string text = read_text_if(config_json);
  if (text.empty()) throw FormatError(config_json.string(), 0, "is missing or empty");
  FolderConfig config =
      parse_config(text, read_text_if(path / "generation_config.json"), config_json.string());
  config_ = std::move(config.model);
  checkpoint_ = std::make_unique<FolderCheckpoint>(path, std::move(config.quantization));
}

std::unique_ptr<LanguageModel> ModelFile::load(const LoadOptions& options) const {
  return make_llama(config_, *checkpoint_, options.dtype, options.strictness);
}

Tokenizer ModelFile::tokenizer() const {
  if (gguf_) return Tokenizer::from_gguf(*gguf_);
  std::optional<fs::path> tokenizer_config = path_ / "tokenizer_config.json";
  if (!fs::exists(*tokenizer_config)) tokenizer_config.reset();
  return Tokenizer::from_json(path_ / "tokenizer.json", tokenizer_config);
}

std::unique_ptr<LanguageModel> load_model(const fs::path& path, const LoadOptions& options) {
  return ModelFile(path).load(options);
}

fs::path data_folder() {
  if (const auto data = environment("XDG_DATA_HOME")) return fs::path(*data) / "clmx";
  const auto home = environment("HOME");
  require(home.has_value(), "default model",
          "HOME is not set: name a model by --model or CLMX_MODEL");
  return fs::path(*home) / ".local" / "share" / "clmx";
}

fs::path default_model_path() {
  if (const auto model = environment("CLMX_MODEL")) return *model;
  return data_folder() / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf";
}

}  // namespace clmx
