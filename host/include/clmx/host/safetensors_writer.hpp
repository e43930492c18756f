#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "clmx/host/atomic_file.hpp"
#include "clmx/host/dtype.hpp"
#include "clmx/host/shape.hpp"

namespace clmx {

/// A tensor that a file is going to hold. `type` is the format's name (F32, BF16, U32, U8, I64,
/// BOOL ...).
struct TensorDeclaration {
  std::string name, type;
  std::vector<std::int64_t> shape;
};
/// Of an array of clmx.
TensorDeclaration declaration(std::string name, DType dtype, const Shape& shape);
/// The bytes of its data. Throws ArgumentError for an unknown type, a negative size, or elements
/// that do not fill whole bytes or are more than an array can have.
std::uint64_t bytes_of(const TensorDeclaration& tensor);

/// A safetensors file written piece by piece: the header first, from what is declared, then the
/// data of the tensors in any order. The data lie in the order of declaration, from a multiple of 8
/// bytes on; who declares larger elements first has every tensor aligned to its element. The file
/// appears under its name at commit(), whole and synced; without it nothing stays. Format:
/// https://github.com/huggingface/safetensors
class SafetensorsWriter {
 public:
  /// Throws ArgumentError for a name given twice or not possible, text that is not UTF-8, or a
  /// header above the format's 100 MB; FormatError when the disk refuses (so do the others).
  SafetensorsWriter(const std::filesystem::path& path, std::span<const TensorDeclaration> tensors,
                    const std::map<std::string, std::string>& metadata = {});
  /// The next bytes of one tensor. Throws ArgumentError when it was not declared or is full.
  void append(const std::string& name, std::span<const std::byte> bytes);
  /// Throws ArgumentError naming a tensor whose bytes are not all there.
  void commit();

 private:
  struct Range {
    std::uint64_t at = 0, end = 0;  // in the file: what comes next, and behind the last
  };
  std::map<std::string, Range> left_;
  AtomicFile file_;
};

}  // namespace clmx
