#include <nlohmann/json.hpp>

#include "clmx/devices/error.hpp"
#include "clmx/host/atomic_file.hpp"
#include "clmx/host/safetensors.hpp"
#include "file_dtypes.hpp"

namespace clmx {
namespace {

constexpr const char* op = "save_safetensors";

nlohmann::json describe(const Array& array, std::uint64_t begin) {
  return {{"dtype", safetensors_name(array.dtype())},
          {"shape", array.shape().sizes()},
          {"data_offsets", {begin, begin + array.bytes()}}};
}

/// The length and the JSON, padded with spaces so that the data begin at a multiple of 8.
std::string header_of(const std::map<std::string, Array>& arrays,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t begin = 0;
  for (const auto& [name, array] : arrays) {
    require(name != "__metadata__", op, "an array cannot be named __metadata__");
    header[name] = describe(array, begin);
    begin += array.bytes();
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::type_error&) {
    throw ArgumentError(join('[', op, "] names and metadata must be UTF-8"));
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  text.insert(0, reinterpret_cast<const char*>(&length), sizeof length);
  return text;
}

}  // namespace

void save_safetensors(const std::filesystem::path& path, const std::map<std::string, Array>& arrays,
                      const std::map<std::string, std::string>& metadata) {
  const std::string header = header_of(arrays, metadata);
  AtomicFile file(path);
  file.append(std::as_bytes(std::span<const char>(header)));
  for (const auto& [name, array] : arrays) {
    if (array.size() > 0) file.append(array.map_bytes().bytes);
  }
  file.commit();
}

}  // namespace clmx
