#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "clmx/devices/memory.hpp"
#include "clmx/host/array.hpp"

namespace clmx {

/// A tensor as its file describes it. `type` is the file's own name (F32, BF16, U32, I64, BOOL, F64
/// ...).
struct TensorEntry {
  std::string name, type;
  std::vector<std::int64_t> shape;
  HostBytes bytes;  ///< of the mapped file, kept alive
  std::uint64_t file_offset = 0;
};

/// A read-only, memory-mapped safetensors file, checked when opened: header at most 100 MB, offsets
/// contiguous and in range, shape x type = bytes, no duplicate names. Throws FormatError. Format:
/// https://github.com/huggingface/safetensors
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  const std::map<std::string, TensorEntry>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// Throws FormatError when there is none of that name.
  const TensorEntry& at(const std::string& name) const;
  /// As an Array: types F32 F16 BF16 U8 U32 I32 as they are (wrapped when aligned, else copied);
  /// I64, U64, I8, I16, U16, BOOL converted (I64 must fit i32). Others throw FormatError.
  Array array(const std::string& name) const;

 private:
  std::filesystem::path path_;
  std::map<std::string, TensorEntry> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Writes all arrays to a temporary name, syncs and renames. Order: by name. Throws FormatError
/// when the disk refuses.
void save_safetensors(const std::filesystem::path& path, const std::map<std::string, Array>& arrays,
                      const std::map<std::string, std::string>& metadata = {});

/// Writes bytes atomically: temporary name in the same folder, fsync, rename. Throws FormatError.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
/// The whole file, mapped read-only. Throws FormatError with the system's reason.
HostBytes map_file(const std::filesystem::path& path);

}  // namespace clmx
