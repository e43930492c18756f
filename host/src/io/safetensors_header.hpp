#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace clmx {

/// The header of a safetensors file as its JSON says it; nothing but its form is checked.
struct SafetensorsHeader {
  struct Tensor {
    std::string type;
    std::vector<std::uint64_t> shape;
    std::array<std::uint64_t, 2> data_offsets{};
  };
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Parses the JSON. Throws FormatError for file, with positions counted from text_offset; names
/// that come twice are refused, fields that the format does not know are passed over.
SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& file,
                                           std::uint64_t text_offset);

}  // namespace clmx
