#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace clmx {

/// A JSON file as a tree. Throws FormatError with the byte when it is not JSON, nested more than 64
/// deep, or when a name comes twice in an object.
nlohmann::json parse_json_file(const std::filesystem::path& path);

}  // namespace clmx
