#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace clmx {

/// A JSON text as a tree. Throws FormatError with the byte when it is not JSON, nested more than 64
/// deep, or when a name comes twice in an object. `file` is its name in errors.
nlohmann::json parse_json(std::string_view text, const std::string& file);
/// The same of a file's text.
nlohmann::json parse_json_file(const std::filesystem::path& path);

}  // namespace clmx
