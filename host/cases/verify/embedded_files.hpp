#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace clmx {

/// A file of tests/data/golden as it was when the program was built.
struct EmbeddedFile {
  const char* name;  ///< relative to that folder
  std::span<const std::byte> bytes;
};
std::vector<EmbeddedFile> embedded_files();

}  // namespace clmx
