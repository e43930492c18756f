#pragma once

#include <map>
#include <string>

#include "byte_reader.hpp"
#include "clmx/host/gguf.hpp"

namespace clmx {

/// Reads what comes before the data of a GGUF file, in the order of the file.
class GgufParser {
 public:
  GgufParser(const HostBytes& file, const std::string& path) : file_(file), in_(file.bytes, path) {}
  void parse();

  std::map<std::string, GgufValue> metadata;
  std::map<std::string, TensorEntry> tensors;

 private:
  struct Placed {
    TensorEntry entry;
    std::uint64_t described_at, offset, bytes;
  };
  void read_header();
  void read_pair();
  GgufValue read_value(std::uint32_t type, int depth);
  GgufValue read_array(int depth);
  GgufValue read_texts(std::uint64_t count);
  GgufValue read_arrays(std::uint64_t count, int depth);
  bool read_boolean();
  std::uint64_t alignment() const;
  Placed read_tensor();
  void place_tensors(std::vector<Placed> placed, std::uint64_t data_begin);

  const HostBytes& file_;
  ByteReader in_;
  std::uint64_t tensor_count_ = 0, pair_count_ = 0;
};

}  // namespace clmx
