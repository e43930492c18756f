#include "clmx/host/gguf.hpp"

#include <utility>

#include "clmx/devices/error.hpp"
#include "gguf_parser.hpp"

namespace clmx {
namespace {

const GgufValue* find(const GgufFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? nullptr : &found->second;
}

[[noreturn]] void wrong_type(const GgufFile& file, const std::string& key, const char* wanted) {
  throw FormatError(file.path().string(), 0, "metadata '" + key + "' is not " + wanted);
}

template <class T>
T present(std::optional<T> value, const GgufFile& file, const std::string& key) {
  if (!value) throw FormatError(file.path().string(), 0, "metadata '" + key + "' is missing");
  return *std::move(value);
}

template <class T>
const T* held_if(const GgufFile& file, const std::string& key, const char* wanted) {
  const GgufValue* const value = find(file, key);
  if (!value) return nullptr;
  const T* const held = std::get_if<T>(&value->value);
  if (!held) wrong_type(file, key, wanted);
  return held;
}

}  // namespace

GgufFile::GgufFile(const std::filesystem::path& path) : path_(path) {
  const HostBytes file = map_file(path);
  GgufParser parser(file, path.string());
  parser.parse();
  metadata_ = std::move(parser.metadata);
  tensors_ = std::move(parser.tensors);
}

const TensorEntry& GgufFile::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw FormatError(path_.string(), 0, "there is no tensor '" + name + "'");
  }
  return found->second;
}

std::optional<std::int64_t> GgufFile::integer_if(const std::string& key) const {
  const GgufValue* const value = find(*this, key);
  if (!value) return {};
  if (const auto* held = std::get_if<std::int64_t>(&value->value)) return *held;
  const auto* held = std::get_if<std::uint64_t>(&value->value);
  if (!held || !std::in_range<std::int64_t>(*held)) wrong_type(*this, key, "an integer");
  return static_cast<std::int64_t>(*held);
}

std::optional<double> GgufFile::number_if(const std::string& key) const {
  const GgufValue* const value = find(*this, key);
  if (!value) return {};
  if (const auto* held = std::get_if<double>(&value->value)) return *held;
  if (const auto* held = std::get_if<std::int64_t>(&value->value)) {
    return static_cast<double>(*held);
  }
  const auto* held = std::get_if<std::uint64_t>(&value->value);
  if (!held) wrong_type(*this, key, "a number");
  return static_cast<double>(*held);
}

std::optional<bool> GgufFile::boolean_if(const std::string& key) const {
  const bool* const held = held_if<bool>(*this, key, "a boolean");
  return held ? std::optional(*held) : std::nullopt;
}

std::optional<std::string> GgufFile::text_if(const std::string& key) const {
  const std::string* const held = held_if<std::string>(*this, key, "a text");
  return held ? std::optional(*held) : std::nullopt;
}

std::int64_t GgufFile::integer(const std::string& key) const {
  return present(integer_if(key), *this, key);
}

double GgufFile::number(const std::string& key) const {
  return present(number_if(key), *this, key);
}

std::string GgufFile::text(const std::string& key) const {
  return present(text_if(key), *this, key);
}

const std::vector<std::string>& GgufFile::texts(const std::string& key) const {
  const auto* held = held_if<std::vector<std::string>>(*this, key, "an array of texts");
  if (!held) throw FormatError(path_.string(), 0, "metadata '" + key + "' is missing");
  return *held;
}

const std::vector<std::int64_t>* GgufFile::integers_if(const std::string& key) const {
  return held_if<std::vector<std::int64_t>>(*this, key, "an array of integers");
}

const std::vector<double>* GgufFile::numbers_if(const std::string& key) const {
  return held_if<std::vector<double>>(*this, key, "an array of numbers");
}

}  // namespace clmx
