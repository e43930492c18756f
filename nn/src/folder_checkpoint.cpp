#include "folder_checkpoint.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "clmx/devices/error.hpp"
#include "clmx/nn/module.hpp"
#include "inner_names.hpp"
#include "stored_weight.hpp"
#include "strict_json.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

std::set<std::string> shards_of_index(const fs::path& index) {
  std::set<std::string> names;
  try {
    const auto json = parse_json(read_text_if(index), index.string());
    for (const auto& [tensor, file] : json.at("weight_map").items()) {
      names.insert(file.get<std::string>());
    }
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(index.string(), 0, error.what());
  }
  for (const std::string& name : names) {
    // A shard is a file of this folder, whatever an index may say.
    if (fs::path(name).filename() != name || name == "." || name == "..") {
      throw FormatError(index.string(), 0, "shard '" + name + "' is not a plain file name");
    }
  }
  return names;
}

std::set<std::string> shards_by_name(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("model") && name.ends_with(".safetensors")) names.insert(name);
  }
  if (error) throw FormatError(folder.string(), 0, error.message());
  if (names.empty()) throw FormatError(folder.string(), 0, "holds no model*.safetensors");
  return names;
}

std::set<std::string> shard_names(const fs::path& folder) {
  const fs::path index = folder / "model.safetensors.index.json";
  if (fs::exists(index)) return shards_of_index(index);
  if (fs::exists(folder / "model.safetensors")) return {"model.safetensors"};
  return shards_by_name(folder);
}

}  // namespace

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
    for (const std::string& name : shard_names(path)) add_file(path / name);
  } else {
    add_file(path);
  }
  take_inner_names();
}

void FolderCheckpoint::add_file(const fs::path& file) {
  files_.push_back(std::make_unique<SafetensorsFile>(file));
  for (const auto& [tensor, unused] : files_.back()->tensors()) {
    if (!tensors_.emplace(tensor, Place{files_.back().get(), tensor}).second) {
      throw FormatError(file.string(), 0, "tensor " + tensor + " is in another shard too");
    }
  }
}

void FolderCheckpoint::take_inner_names() {
  for (const auto& [name, plain] : inner_names(names(), where())) {
    auto node = tensors_.extract(name);
    node.key() = plain;
    tensors_.insert(std::move(node));
  }
}

std::vector<std::string> FolderCheckpoint::names() const {
  std::vector<std::string> result;
  for (const auto& [name, file] : tensors_) result.push_back(name);
  return result;
}

const FolderCheckpoint::Place& FolderCheckpoint::place(const std::string& name) const {
  const auto found = tensors_.find(name);
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
                      "tensor " + path + ".weight is not a quantized matrix");
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
