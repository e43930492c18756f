#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace clmx {

/// How a GGUF tensor type lies in memory: blocks of `elements` values in `bytes` bytes.
/// Source: https://github.com/ggml-org/ggml, enum ggml_type and its table of traits.
struct GgufType {
  std::uint32_t id;
  std::string_view name;
  std::uint64_t elements, bytes;
};
/// Nothing when the id is unknown (or one that was removed from the format).
std::optional<GgufType> gguf_type(std::uint32_t id);

}  // namespace clmx
