#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace clmx {

/// The GGUF model of the tests that use a real one: CLMX_MODEL, else where ./demo puts it. Nothing
/// when there is none.
inline std::optional<std::filesystem::path> real_model() {
  namespace fs = std::filesystem;
  constexpr const char* name = "clmx/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  fs::path path;
  if (const char* given = std::getenv("CLMX_MODEL")) {
    path = given;
  } else if (const char* data = std::getenv("XDG_DATA_HOME")) {
    path = fs::path(data) / name;
  } else if (const char* home = std::getenv("HOME")) {
    path = fs::path(home) / ".local/share" / name;
  }
  std::error_code ignored;
  if (path.extension() != ".gguf" || !fs::is_regular_file(path, ignored)) return {};
  return path;
}

}  // namespace clmx
