#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "clmx/host/safetensors.hpp"
#include "clmx/nn/checkpoint.hpp"
#include "clmx/nn/config.hpp"
#include "inner_names.hpp"

namespace clmx {

/// Tensors and the names of their files.
using WeightMap = std::map<std::string, std::string>;

/// An MLX folder: model.safetensors, or the shards that model.safetensors.index.json names, or
/// every model*.safetensors there is. Or one .safetensors file. See open_checkpoint.
class FolderCheckpoint final : public Checkpoint {
 public:
  /// Throws FormatError when there is no such file, two files hold a tensor of the same name, or an
  /// index or a file's name (model-00001-of-00002) tells of something that is not there.
  FolderCheckpoint(const std::filesystem::path& path, QuantizationConfig quantization);

  std::string where() const override { return path_.string(); }
  std::vector<std::string> names() const override;
  bool has(const std::string& name) const override { return tensors_.contains(listed_as(name)); }
  std::string listed_as(const std::string& name) const override { return inner_.plain(name); }
  Array array(const std::string& name) const override;
  std::optional<QuantizedWeight> quantized(const std::string& path,
                                           std::int64_t in_features) const override;
  /// A tensor as its file holds it. Throws FormatError when there is none.
  const TensorEntry& entry(const std::string& name) const;

 private:
  /// A tensor's file and its name there.
  struct Place {
    const SafetensorsFile* file;
    std::string name;
  };
  void add_file(const std::filesystem::path& file);
  void add_folder(const std::filesystem::path& folder);
  void add_shards(const std::filesystem::path& folder, const WeightMap& map);
  QuantizationConfig::Stored stored(const std::string& path) const;
  const Place& place(const std::string& name) const;

  std::filesystem::path path_;
  QuantizationConfig quantization_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, Place> tensors_;
  InnerNames inner_;
};

/// Whether a folder's file of that name holds tensors of its model: model*.safetensors.
bool is_model_file(const std::string& name);

/// The whole of a small text file; empty when there is none. Throws FormatError when it is larger
/// than 64 MiB.
std::string read_text_if(const std::filesystem::path& path);

}  // namespace clmx
