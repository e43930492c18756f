#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "clmx/host/array.hpp"
#include "clmx/host/quantization.hpp"

namespace clmx {

/// A model's tensors under MLX's names, whatever the file: `<path>.weight`, `<path>.scales`,
/// `<path>.biases`, `<path>.bias`. Nothing is read or converted before it is asked for.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  /// The file or folder, for messages.
  virtual std::string where() const = 0;
  /// All tensors, sorted. A quantized matrix that its file keeps in one piece (GGUF) has only
  /// `<path>.weight`.
  virtual std::vector<std::string> names() const = 0;
  virtual bool has(const std::string& name) const = 0;
  /// The name that names() has for a tensor: another one where the file's own was read as MLX's.
  virtual std::string listed_as(const std::string& name) const { return name; }
  /// A dense tensor. Throws FormatError when there is none or it is quantized.
  virtual Array array(const std::string& name) const = 0;
  /// The quantized matrix at path, whose width the model knows to be in_features; absent when the
  /// path holds a dense one. Throws FormatError, naming the tensor, when declared and stored
  /// parameters differ or clmx does not compute with them.
  virtual std::optional<QuantizedWeight> quantized(const std::string& path,
                                                   std::int64_t in_features) const = 0;
};

/// The tensors of an MLX folder (one file or shards; config.json, when there is one, says how
/// they are quantized, else their shapes do) or of one .safetensors file. Names as mlx-rs writes
/// them, `<path>.inner.weight` and `<path>.inner.bias` of a path with scales, are listed and read
/// as MLX's, unless the file has these too; they can be asked for by their own as well.
/// Throws FormatError.
std::unique_ptr<Checkpoint> open_checkpoint(const std::filesystem::path& path);

}  // namespace clmx
