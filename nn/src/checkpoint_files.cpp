#include "checkpoint_files.hpp"

#include <algorithm>
#include <array>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "clmx/nn/config.hpp"
#include "folder_checkpoint.hpp"
#include "strict_json.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

bool is_side_file(const std::string& name) {
  constexpr std::array types = {".json", ".jsonl", ".txt", ".model",
                                ".md",   ".jinja", ".py",  ".tiktoken"};
  constexpr std::array starts = {"LICENSE", "NOTICE", "README", "USE_POLICY"};
  if (name.starts_with('.') || name == "config.json" || name.ends_with(".index.json")) return false;
  return std::any_of(types.begin(), types.end(), [&](auto end) { return name.ends_with(end); }) ||
         std::any_of(starts.begin(), starts.end(), [&](auto s) { return name.starts_with(s); });
}

}  // namespace

nlohmann::json read_source_config(const fs::path& folder) {
  const std::string file = (folder / "config.json").string();
  if (!fs::is_directory(folder)) {
    throw FormatError(folder.string(), 0,
                      "is not a folder: MLX and Hugging Face checkpoints can be quantized");
  }
  const std::string text = read_text_if(file);
  if (text.empty()) throw FormatError(file, 0, "is missing or empty");
  nlohmann::json config = parse_json(text, file);
  if (!config.is_object()) throw FormatError(file, 0, "is not a JSON object");
  parse_quantization(text, file);
  for (const char* key : {"quantization", "quantization_config"}) {
    const auto found = config.find(key);
    if (found != config.end() && found->is_null()) config.erase(found);
  }
  if (config.contains("quantization_config") && !config.contains("quantization")) {
    throw FormatError(file, 0, "quantization_config is not MLX's: such a model is not quantized");
  }
  return config;
}

void write_json(const fs::path& path, const nlohmann::json& json) {
  const std::string text = json.dump(4);
  write_file_atomically(path, std::as_bytes(std::span<const char>(text)));
}

void copy_side_files(const fs::path& from, const fs::path& to) {
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    if (name == chat_templates && entry.is_directory()) {
      fs::create_directory(to / name);
      copy_side_files(entry.path(), to / name);
    }
    if (!is_side_file(name) || !entry.is_regular_file()) continue;
    write_file_atomically(to / name, map_file(entry.path()).bytes);
  }
}

}  // namespace clmx
