#include "clmx/host/safetensors_writer.hpp"

#include <nlohmann/json.hpp>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "file_dtypes.hpp"

namespace clmx {
namespace {

constexpr const char* op = "save_safetensors";
constexpr std::size_t max_header_bytes = 100'000'000;

/// The length and the JSON, padded with spaces so that the data begin at a multiple of 8.
std::string header_of(std::span<const TensorDeclaration> tensors,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t begin = 0;
  for (const TensorDeclaration& tensor : tensors) {
    require(tensor.name != "__metadata__", op, "an array cannot be named __metadata__");
    require(!header.contains(tensor.name), op, "two arrays are named ", tensor.name);
    const std::uint64_t end = begin + bytes_of(tensor);
    require(end >= begin, op, "more data than a file can hold");
    header[tensor.name] = {
        {"dtype", tensor.type}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::type_error&) {
    throw ArgumentError(join('[', op, "] names and metadata must be UTF-8"));
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  require(text.size() <= max_header_bytes, op, "the header would have ", text.size(), " bytes");
  const std::uint64_t length = text.size();
  text.insert(0, reinterpret_cast<const char*>(&length), sizeof length);
  return text;
}

std::vector<TensorDeclaration> declared(const std::map<std::string, Array>& arrays) {
  std::vector<TensorDeclaration> tensors;
  tensors.reserve(arrays.size());
  for (const auto& [name, array] : arrays)
    tensors.push_back(declaration(name, array.dtype(), array.shape()));
  return tensors;
}

}  // namespace

TensorDeclaration declaration(std::string name, DType dtype, const Shape& shape) {
  const auto& sizes = shape.sizes();
  return {std::move(name), std::string(safetensors_name(dtype)), {sizes.begin(), sizes.end()}};
}

std::uint64_t bytes_of(const TensorDeclaration& tensor) {
  const auto bits_each = safetensors_bits(tensor.type);
  require(bits_each.has_value(), op, tensor.name, " has the unknown dtype ", tensor.type);
  std::vector<std::uint64_t> sizes;
  for (const std::int64_t size : tensor.shape) {
    require(size >= 0, op, tensor.name, " has a negative size");
    sizes.push_back(static_cast<std::uint64_t>(size));
  }
  const auto elements = checked_elements(sizes);
  const auto bits = elements ? checked_multiply(*elements, *bits_each) : elements;
  require(bits && *bits % 8 == 0, op, tensor.name, " does not fill whole bytes, or too many");
  return *bits / 8;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     std::span<const TensorDeclaration> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : file_(path) {
  const std::string header = header_of(tensors, metadata);
  std::uint64_t at = header.size();
  for (const TensorDeclaration& tensor : tensors) {
    const std::uint64_t end = at + bytes_of(tensor);
    left_[tensor.name] = {at, end};
    at = end;
  }
  file_.append(std::as_bytes(std::span<const char>(header)));
}

void SafetensorsWriter::append(const std::string& name, std::span<const std::byte> bytes) {
  const auto found = left_.find(name);
  require(found != left_.end(), op, name, " was not declared");
  Range& range = found->second;
  require(bytes.size() <= range.end - range.at, op, name, " has room for ", range.end - range.at,
          " bytes more, not ", bytes.size());
  file_.write_at(range.at, bytes);
  range.at += bytes.size();
}

void SafetensorsWriter::commit() {
  for (const auto& [name, range] : left_) {
    require(range.at == range.end, op, name, " lacks its last ", range.end - range.at, " bytes");
  }
  file_.commit();
}

void save_safetensors(const std::filesystem::path& path, const std::map<std::string, Array>& arrays,
                      const std::map<std::string, std::string>& metadata) {
  SafetensorsWriter writer(path, declared(arrays), metadata);
  for (const auto& [name, array] : arrays) {
    if (array.size() > 0) writer.append(name, array.map_bytes().bytes);
  }
  writer.commit();
}

}  // namespace clmx
