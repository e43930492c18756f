#include "clmx/host/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "clmx/devices/error.hpp"
#include "file_dtypes.hpp"
#include "safetensors_header.hpp"

namespace clmx {
namespace {

constexpr std::uint64_t prefix_bytes = 8;
constexpr std::uint64_t max_header_bytes = 100'000'000;

static_assert(std::endian::native == std::endian::little, "files are read as they lie in memory");

std::uint64_t header_bytes(const HostBytes& file, const std::string& path) {
  if (file.bytes.size() < prefix_bytes) {
    throw FormatError(path, file.bytes.size(), "the file ends before its header");
  }
  std::uint64_t length = 0;
  std::memcpy(&length, file.bytes.data(), sizeof length);
  if (length > max_header_bytes) {
    throw FormatError(path, 0,
                      join("the header would have ", length, " bytes; at most ", max_header_bytes,
                           " are allowed"));
  }
  if (length > file.bytes.size() - prefix_bytes) {
    throw FormatError(
        path, 0,
        join("the header would have ", length, " bytes, the file has ", file.bytes.size()));
  }
  return length;
}

/// The bytes that a tensor of this type and shape has; nothing when that overflows or is odd.
std::optional<std::uint64_t> tensor_bytes(const SafetensorsHeader::Tensor& tensor,
                                          std::uint64_t bits_each) {
  const auto elements = checked_elements(tensor.shape);
  if (!elements) return {};
  const auto bits = checked_multiply(*elements, bits_each);
  if (!bits || *bits % 8 != 0) return {};
  return *bits / 8;
}

/// Reads the tensors out of the parsed header, in the order of their data.
class LayoutCheck {
 public:
  LayoutCheck(const HostBytes& file, std::string path, std::uint64_t data_begin)
      : file_(file), path_(std::move(path)), data_begin_(data_begin) {}

  TensorEntry next(const std::string& name, const SafetensorsHeader::Tensor& tensor);
  void finish() const;

 private:
  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    throw FormatError(path_, data_begin_ + end_, "tensor '" + name + "' " + what);
  }
  const HostBytes& file_;
  std::string path_;
  std::uint64_t data_begin_, end_ = 0;
};

TensorEntry LayoutCheck::next(const std::string& name, const SafetensorsHeader::Tensor& tensor) {
  const auto [begin, end] = tensor.data_offsets;
  if (begin != end_) fail(name, join("begins at ", begin, ", the data before it end at ", end_));
  if (end < begin || end > file_.bytes.size() - data_begin_) {
    fail(name, join("ends at ", end, ", the file holds ", file_.bytes.size() - data_begin_,
                    " bytes of data"));
  }
  const auto bits = safetensors_bits(tensor.type);
  if (!bits) fail(name, "has the unknown dtype '" + tensor.type.substr(0, 40) + "'");
  const auto wanted = tensor_bytes(tensor, *bits);
  if (!wanted || *wanted != end - begin) {
    fail(name, join("has ", end - begin, " bytes, which is not what its shape and dtype need"));
  }
  TensorEntry entry{name, tensor.type, {}, {}, data_begin_ + begin};
  entry.shape.assign(tensor.shape.begin(), tensor.shape.end());
  entry.bytes = {file_.bytes.subspan(data_begin_ + begin, end - begin), file_.owner};
  end_ = end;
  return entry;
}

void LayoutCheck::finish() const {
  if (end_ == file_.bytes.size() - data_begin_) return;
  throw FormatError(path_, data_begin_ + end_,
                    join("the file goes on after its last tensor, to byte ", file_.bytes.size()));
}

template <class From, class To>
Array convert(const TensorEntry& entry, const Shape& shape, const std::string& path) {
  const std::size_t count = entry.bytes.bytes.size() / sizeof(From);
  std::vector<To> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    From value{};
    std::memcpy(&value, entry.bytes.bytes.data() + i * sizeof(From), sizeof(From));
    if (!std::in_range<To>(value)) {
      throw FormatError(path, entry.file_offset + i * sizeof(From),
                        join("tensor '", entry.name, "' holds ", value, ", which does not fit ",
                             DTypeOf<To>::value));
    }
    // A signed byte is a number here, no character. NOLINTNEXTLINE(bugprone-signed-char-misuse)
    values[i] = static_cast<To>(value);
  }
  return Array::wrap(HostBytes::own(std::move(values)), shape, DTypeOf<To>::value);
}

Array convert_booleans(const TensorEntry& entry, const Shape& shape) {
  std::vector<std::uint8_t> values(entry.bytes.bytes.size());
  std::transform(entry.bytes.bytes.begin(), entry.bytes.bytes.end(), values.begin(),
                 [](std::byte b) { return std::uint8_t{b != std::byte{0}}; });
  return Array::wrap(HostBytes::own(std::move(values)), shape, DType::u8);
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path) {
  const HostBytes file = map_file(path);
  const std::uint64_t length = header_bytes(file, path.string());
  const auto* text = reinterpret_cast<const char*>(file.bytes.data()) + prefix_bytes;
  SafetensorsHeader header = parse_safetensors_header({text, length}, path.string(), prefix_bytes);

  using Named = std::pair<const std::string, SafetensorsHeader::Tensor>;
  std::vector<const Named*> in_file;
  for (const auto& tensor : header.tensors) in_file.push_back(&tensor);
  std::stable_sort(in_file.begin(), in_file.end(), [](const Named* a, const Named* b) {
    return a->second.data_offsets < b->second.data_offsets;
  });
  LayoutCheck check(file, path.string(), prefix_bytes + length);
  for (const Named* tensor : in_file) {
    tensors_.emplace(tensor->first, check.next(tensor->first, tensor->second));
  }
  check.finish();
  metadata_ = std::move(header.metadata);
}

const TensorEntry& SafetensorsFile::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw FormatError(path_.string(), 0, "there is no tensor '" + name + "'");
  }
  return found->second;
}

Array SafetensorsFile::array(const std::string& name) const {
  const TensorEntry& entry = at(name);
  if (entry.shape.size() > Shape::max_rank) {
    throw FormatError(path_.string(), entry.file_offset,
                      join("tensor '", name, "' has ", entry.shape.size(), " axes; at most ",
                           Shape::max_rank, " are read"));
  }
  const Shape shape{std::span<const std::int64_t>(entry.shape)};
  if (const auto dtype = dtype_of_file_type(entry.type))
    return array_of(entry.bytes, shape, *dtype);
  const std::string path = path_.string();
  if (entry.type == "I64") return convert<std::int64_t, std::int32_t>(entry, shape, path);
  if (entry.type == "I16") return convert<std::int16_t, std::int32_t>(entry, shape, path);
  if (entry.type == "I8") return convert<std::int8_t, std::int32_t>(entry, shape, path);
  if (entry.type == "U64") return convert<std::uint64_t, std::uint32_t>(entry, shape, path);
  if (entry.type == "U16") return convert<std::uint16_t, std::uint32_t>(entry, shape, path);
  if (entry.type == "BOOL") return convert_booleans(entry, shape);
  throw FormatError(path, entry.file_offset,
                    "tensor '" + name + "' has dtype " + entry.type + ", which clmx does not use");
}

}  // namespace clmx
