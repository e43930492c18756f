#include "folder_checkpoint.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "clmx/devices/error.hpp"
#include "clmx/nn/module.hpp"
#include "stored_weight.hpp"
#include "strict_json.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

/// A shard is a file of its folder, whatever an index may say.
bool is_plain_name(const std::string& name) {
  return !name.empty() && fs::path(name).filename() == name && name != "." && name != ".." &&
         name.find('\0') == std::string::npos;
}

/// Tensors and the shards that an index names for them.
WeightMap read_index(const fs::path& index) {
  WeightMap map;
  try {
    const auto json = parse_json(read_text_if(index), index.string());
    const auto& names = json.at("weight_map");
    if (!names.is_object()) throw FormatError(index.string(), 0, "weight_map is not an object");
    for (const auto& [tensor, file] : names.items()) map[tensor] = file.get<std::string>();
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(index.string(), 0, error.what());
  }
  for (const auto& [tensor, name] : map) {
    if (is_plain_name(name)) continue;
    throw FormatError(index.string(), 0,
                      "shard " + nlohmann::json(name).dump() + " is not a plain file name");
  }
  return map;
}

/// model-00001-of-00002.safetensors without its fellows is half a model.
void require_whole(const fs::path& folder, const std::set<std::string>& names) {
  for (const std::string& name : names) {
    int index = 0, count = 0, end = 0;
    const int found =
        std::sscanf(name.c_str(), "model-%9d-of-%9d.safetensors%n", &index, &count, &end);
    const bool numbered = found == 2 && end == static_cast<int>(name.size());
    if (numbered && static_cast<std::size_t>(count) != names.size()) {
      throw FormatError(folder.string(), 0,
                        join("holds ", names.size(), " of ", count, " files: ", name));
    }
  }
}

std::set<std::string> shards_by_name(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (is_model_file(name)) names.insert(name);
  }
  if (error) throw FormatError(folder.string(), 0, error.message());
  if (names.empty()) throw FormatError(folder.string(), 0, "holds no model*.safetensors");
  require_whole(folder, names);
  return names;
}

}  // namespace

bool is_model_file(const std::string& name) {
  return name.starts_with("model") && name.ends_with(".safetensors");
}

std::string read_text_if(const fs::path& path) {
  constexpr std::size_t limit = 64U << 20U;
  if (!fs::exists(path)) return {};
  const HostBytes file = map_file(path);
  if (file.bytes.size() > limit) throw FormatError(path.string(), 0, "is larger than 64 MiB");
  return {reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()};
}

FolderCheckpoint::FolderCheckpoint(const fs::path& path, QuantizationConfig quantization)
    : path_(path), quantization_(std::move(quantization)) {
  if (fs::is_directory(path)) {
    add_folder(path);
  } else {
    add_file(path);
  }
  inner_ = InnerNames(names());
  inner_.rename(tensors_);
}

void FolderCheckpoint::add_folder(const fs::path& folder) {
  const fs::path index = folder / "model.safetensors.index.json";
  if (fs::exists(index)) return add_shards(folder, read_index(index));
  if (fs::exists(folder / "model.safetensors")) return add_file(folder / "model.safetensors");
  for (const std::string& name : shards_by_name(folder)) add_file(folder / name);
}

void FolderCheckpoint::add_shards(const fs::path& folder, const WeightMap& map) {
  std::map<std::string, const SafetensorsFile*> files;
  for (const auto& [tensor, name] : map) {
    if (!files.contains(name)) {
      add_file(folder / name);
      files[name] = files_.back().get();
    }
  }
  for (const auto& [tensor, name] : map) {
    if (files.at(name)->tensors().contains(tensor)) continue;
    throw FormatError((folder / name).string(), 0, "tensor " + tensor + " is missing");
  }
}

void FolderCheckpoint::add_file(const fs::path& file) {
  files_.push_back(std::make_unique<SafetensorsFile>(file));
  for (const auto& [tensor, unused] : files_.back()->tensors()) {
    if (!tensors_.emplace(tensor, Place{files_.back().get(), tensor}).second) {
      throw FormatError(file.string(), 0, "tensor " + tensor + " is in another shard too");
    }
  }
}

std::vector<std::string> FolderCheckpoint::names() const {
  std::vector<std::string> result;
  for (const auto& [name, file] : tensors_) result.push_back(name);
  return result;
}

const FolderCheckpoint::Place& FolderCheckpoint::place(const std::string& name) const {
  const auto found = tensors_.find(listed_as(name));
  if (found == tensors_.end()) {
    throw FormatError(where(), 0, "tensor " + name + " is missing");
  }
  return found->second;
}

const TensorEntry& FolderCheckpoint::entry(const std::string& name) const {
  const Place& at = place(name);
  return at.file->at(at.name);
}

Array FolderCheckpoint::array(const std::string& name) const {
  const Place& at = place(name);
  return at.file->array(at.name);
}

QuantizationConfig::Stored FolderCheckpoint::stored(const std::string& path) const {
  QuantizationConfig::Stored result;
  if (!has(join_path(path, "scales"))) return result;
  const TensorEntry& packed = entry(join_path(path, "weight"));
  const TensorEntry& scales = entry(join_path(path, "scales"));
  if (packed.type != "U32" || packed.shape.size() < 2 ||
      scales.shape.size() != packed.shape.size()) {
    throw FormatError(where(), packed.file_offset,
                      "tensor " + join_path(path, "weight") + " is not a quantized matrix");
  }
  return {true, scales.type == "U8", packed.shape.back(), scales.shape.back()};
}

std::optional<QuantizedWeight> FolderCheckpoint::quantized(const std::string& path,
                                                           std::int64_t in_features) const {
  return stored_weight(*this, path, quantization_, stored(path), in_features);
}

std::unique_ptr<Checkpoint> open_checkpoint(const fs::path& path) {
  QuantizationConfig quantization;
  const fs::path config = path / "config.json";
  const std::string text = fs::is_directory(path) ? read_text_if(config) : std::string();
  if (!text.empty()) quantization = parse_quantization(text, config.string());
  return std::make_unique<FolderCheckpoint>(path, std::move(quantization));
}

}  // namespace clmx
