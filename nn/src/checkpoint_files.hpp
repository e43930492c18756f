#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace clmx {

/// The folder for further chat templates of a Hugging Face tokenizer.
inline constexpr const char* chat_templates = "additional_chat_templates";

/// config.json of a folder to be quantized. Throws FormatError when there is none, it is no object,
/// or declares a quantization that is not MLX's.
nlohmann::json read_source_config(const std::filesystem::path& folder);

/// JSON as mlx-lm writes it: sorted, four spaces.
void write_json(const std::filesystem::path& path, const nlohmann::json& json);

/// Copies what belongs to a model beside its tensors and config.json: tokenizer, templates,
/// generation_config.json, licences, model cards, code, the folder of chat templates. Not hidden
/// files, other folders, other weights.
void copy_side_files(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace clmx
