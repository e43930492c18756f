#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "clmx/host/quantization.hpp"
#include "clmx/host/safetensors.hpp"

namespace clmx {

struct GgufValue;
using GgufArray = std::vector<GgufValue>;
/// A metadata value; integers are widened. Large arrays of one kind are kept compactly.
struct GgufValue {
  std::variant<std::int64_t, std::uint64_t, double, bool, std::string, std::vector<std::string>,
               std::vector<std::int64_t>, std::vector<double>, GgufArray>
      value;
};

/// A read-only, memory-mapped GGUF file (versions 2 and 3, little-endian), checked when opened.
/// Throws FormatError with the byte offset. Format:
/// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
class GgufFile {
 public:
  explicit GgufFile(const std::filesystem::path& path);
  const std::filesystem::path& path() const { return path_; }
  const std::map<std::string, GgufValue>& metadata() const { return metadata_; }
  /// Tensors with `type` "F32", "Q4_1", ...; shape outermost first (GGUF's reversed). Unknown types
  /// throw when opened.
  const std::map<std::string, TensorEntry>& tensors() const { return tensors_; }
  const TensorEntry& at(const std::string& name) const;

  /// Typed look-ups. The first form throws FormatError when the key is absent; both when its type
  /// does not fit.
  std::int64_t integer(const std::string& key) const;
  std::optional<std::int64_t> integer_if(const std::string& key) const;
  double number(const std::string& key) const;
  std::optional<double> number_if(const std::string& key) const;
  std::optional<bool> boolean_if(const std::string& key) const;
  std::string text(const std::string& key) const;
  std::optional<std::string> text_if(const std::string& key) const;
  const std::vector<std::string>& texts(const std::string& key) const;
  const std::vector<std::int64_t>* integers_if(const std::string& key) const;
  const std::vector<double>* numbers_if(const std::string& key) const;

 private:
  std::filesystem::path path_;
  std::map<std::string, GgufValue> metadata_;
  std::map<std::string, TensorEntry> tensors_;
};

/// Whether the type maps onto an MLX quantized weight that clmx computes with: Q4_0, Q4_1, Q8_0.
bool is_quantized_gguf_type(std::string_view type);
/// A matrix of one of those types as the exact MLX weight (affine, group 32, f16 scales; f32 where
/// -8d or -128d leaves f16). row_order: source row of each result row (how the Q and K rows of
/// llama files are put right); empty: as stored. Source of the mapping: spec of the formats in
/// docs/formats.md.
QuantizedWeight gguf_weight(const GgufFile& file, const std::string& name,
                            std::span<const std::int64_t> row_order = {});
/// A tensor of type F32, F16 or BF16 as it is (also with row_order).
Array gguf_array(const GgufFile& file, const std::string& name,
                 std::span<const std::int64_t> row_order = {});

}  // namespace clmx
