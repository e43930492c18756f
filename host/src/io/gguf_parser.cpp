#include "gguf_parser.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "file_dtypes.hpp"
#include "gguf_types.hpp"

namespace clmx {
namespace {

enum ValueType : std::uint32_t {
  u8_value,
  i8_value,
  u16_value,
  i16_value,
  u32_value,
  i32_value,
  f32_value,
  bool_value,
  text_value,
  array_value,
  u64_value,
  i64_value,
  f64_value
};

// Limits of the format's own readers, or generous ones where those have none.
constexpr std::uint64_t max_key_bytes = 65535;
constexpr std::uint64_t max_name_bytes = 64;
constexpr std::uint64_t max_text_bytes = 64 << 20;
constexpr std::uint64_t max_array_items = 1 << 26;
constexpr std::uint64_t max_alignment = 1 << 24;
constexpr std::uint32_t max_dimensions = 4;
constexpr int max_array_depth = 4;

/// Bytes of a value of fixed size; 0 for texts, arrays and unknown types.
std::uint64_t value_bytes(std::uint32_t type) {
  switch (type) {
    case u8_value:
    case i8_value:
    case bool_value:
      return 1;
    case u16_value:
    case i16_value:
      return 2;
    case u32_value:
    case i32_value:
    case f32_value:
      return 4;
    case u64_value:
    case i64_value:
    case f64_value:
      return 8;
    default:
      return 0;
  }
}

/// `count` values of file type From, widened to To.
template <class From, class To>
GgufValue read_numbers(ByteReader& in, std::uint64_t count) {
  std::vector<To> values(count);
  for (To& value : values) {
    // A signed byte is a number here, no character. NOLINTNEXTLINE(bugprone-signed-char-misuse)
    value = static_cast<To>(in.read<From>("an array"));
  }
  return {std::move(values)};
}

GgufValue read_large_integers(ByteReader& in, std::uint64_t count) {
  std::vector<std::int64_t> values(count);
  for (std::int64_t& value : values) {
    const auto read = in.read<std::uint64_t>("an array");
    if (!std::in_range<std::int64_t>(read)) in.fail(join("an array holds ", read, ", too large"));
    value = static_cast<std::int64_t>(read);
  }
  return {std::move(values)};
}

GgufValue read_fixed_array(ByteReader& in, std::uint32_t type, std::uint64_t count) {
  switch (type) {
    case u8_value:
    case bool_value:
      return read_numbers<std::uint8_t, std::int64_t>(in, count);
    case i8_value:
      return read_numbers<std::int8_t, std::int64_t>(in, count);
    case u16_value:
      return read_numbers<std::uint16_t, std::int64_t>(in, count);
    case i16_value:
      return read_numbers<std::int16_t, std::int64_t>(in, count);
    case u32_value:
      return read_numbers<std::uint32_t, std::int64_t>(in, count);
    case i32_value:
      return read_numbers<std::int32_t, std::int64_t>(in, count);
    case i64_value:
      return read_numbers<std::int64_t, std::int64_t>(in, count);
    case u64_value:
      return read_large_integers(in, count);
    case f32_value:
      return read_numbers<float, double>(in, count);
    default:
      return read_numbers<double, double>(in, count);
  }
}

template <class To, class From>
GgufValue widened(From value) {
  return {static_cast<To>(value)};
}

}  // namespace

void GgufParser::parse() {
  read_header();
  for (std::uint64_t i = 0; i < pair_count_; ++i) read_pair();
  const std::uint64_t align = alignment();
  std::vector<Placed> placed;
  for (std::uint64_t i = 0; i < tensor_count_; ++i) placed.push_back(read_tensor());
  const std::uint64_t data_begin = (in_.position() + align - 1) / align * align;
  for (const Placed& tensor : placed) {
    if (tensor.offset % align != 0) {
      in_.fail_at(tensor.described_at, join("tensor '", tensor.entry.name, "' begins at ",
                                            tensor.offset, ", not a multiple of ", align));
    }
  }
  place_tensors(std::move(placed), data_begin);
}

void GgufParser::read_header() {
  constexpr std::uint32_t magic = 0x46554747;  // "GGUF"
  if (in_.read<std::uint32_t>("the magic") != magic) in_.fail_at(0, "this is not a GGUF file");
  const auto version = in_.read<std::uint32_t>("the version");
  if (version != 2 && version != 3) {
    const bool big_endian = __builtin_bswap32(version) == 2 || __builtin_bswap32(version) == 3;
    in_.fail_at(4, big_endian ? "this is a big-endian GGUF file; little-endian ones are read"
                              : join("version ", version, "; versions 2 and 3 are read"));
  }
  // The smallest tensor description has 24 bytes, the smallest pair 14.
  tensor_count_ = in_.count("the number of tensors", 24);
  pair_count_ = in_.count("the number of metadata pairs", 14);
}

void GgufParser::read_pair() {
  const std::uint64_t at = in_.position();
  const std::string key(in_.text("a metadata key", max_key_bytes));
  if (key.empty()) in_.fail_at(at, "an empty metadata key");
  const auto type = in_.read<std::uint32_t>("a metadata type");
  if (type != array_value && type != text_value && value_bytes(type) == 0) {
    in_.fail(join("metadata '", key, "' has the unknown type ", type));
  }
  if (!metadata.emplace(key, read_value(type, 0)).second) {
    in_.fail_at(at, "metadata '" + key + "' comes twice");
  }
}

GgufValue GgufParser::read_value(std::uint32_t type, int depth) {
  constexpr const char* what = "a metadata value";
  switch (type) {
    case u8_value:
      return widened<std::uint64_t>(in_.read<std::uint8_t>(what));
    case i8_value:
      return widened<std::int64_t>(in_.read<std::int8_t>(what));
    case u16_value:
      return widened<std::uint64_t>(in_.read<std::uint16_t>(what));
    case i16_value:
      return widened<std::int64_t>(in_.read<std::int16_t>(what));
    case u32_value:
      return widened<std::uint64_t>(in_.read<std::uint32_t>(what));
    case i32_value:
      return widened<std::int64_t>(in_.read<std::int32_t>(what));
    case f32_value:
      return widened<double>(in_.read<float>(what));
    case bool_value:
      return {read_boolean()};
    case text_value:
      return {std::string(in_.text(what, max_text_bytes))};
    case array_value:
      return read_array(depth);
    case u64_value:
      return {in_.read<std::uint64_t>(what)};
    case i64_value:
      return {in_.read<std::int64_t>(what)};
    default:
      return {in_.read<double>(what)};
  }
}

bool GgufParser::read_boolean() {
  const auto value = in_.read<std::uint8_t>("a metadata value");
  if (value > 1) in_.fail(join("a boolean has the value ", int{value}));
  return value == 1;
}

GgufValue GgufParser::read_array(int depth) {
  if (depth == max_array_depth) in_.fail("arrays are nested too deeply");
  const std::uint64_t at = in_.position();
  const auto type = in_.read<std::uint32_t>("an array's type");
  const std::uint64_t fixed = value_bytes(type);
  if (fixed == 0 && type != text_value && type != array_value) {
    in_.fail_at(at, join("an array has the unknown type ", type));
  }
  const std::uint64_t least = fixed != 0 ? fixed : type == text_value ? 8 : 12;
  const std::uint64_t count = in_.count("an array's length", least);
  if (count > max_array_items) in_.fail_at(at, join("an array has ", count, " items, too many"));
  if (type == text_value) return read_texts(count);
  if (type == array_value) return read_arrays(count, depth + 1);
  return read_fixed_array(in_, type, count);
}

GgufValue GgufParser::read_texts(std::uint64_t count) {
  std::vector<std::string> texts;
  texts.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    texts.emplace_back(in_.text("a text of an array", max_text_bytes));
  }
  return {std::move(texts)};
}

GgufValue GgufParser::read_arrays(std::uint64_t count, int depth) {
  GgufArray arrays;
  for (std::uint64_t i = 0; i < count; ++i) arrays.push_back(read_array(depth));
  return {std::move(arrays)};
}

std::uint64_t GgufParser::alignment() const {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return 32;
  const auto* value = std::get_if<std::uint64_t>(&found->second.value);
  if (!value || !std::has_single_bit(*value) || *value > max_alignment) {
    in_.fail(join("general.alignment must be a power of two of at most ", max_alignment));
  }
  return *value;
}

GgufParser::Placed GgufParser::read_tensor() {
  Placed placed{{}, in_.position(), 0, 0};
  const std::string name(in_.text("a tensor's name", max_name_bytes));
  const auto fail = [&](const std::string& what) {
    in_.fail_at(placed.described_at, "tensor '" + name + "' " + what);
  };
  const auto dimensions = in_.read<std::uint32_t>("a tensor's description");
  if (dimensions > max_dimensions) fail(join("has ", dimensions, " axes, at most 4 are possible"));
  std::vector<std::uint64_t> sizes(dimensions);
  for (auto& size : sizes) size = in_.read<std::uint64_t>("a tensor's description");
  const auto type_id = in_.read<std::uint32_t>("a tensor's description");
  const auto type = gguf_type(type_id);
  if (!type) fail(join("has the unknown type ", type_id));
  placed.offset = in_.read<std::uint64_t>("a tensor's description");

  const std::uint64_t row = sizes.empty() ? 1 : sizes[0];
  if (row % type->elements != 0) fail(join("has rows of ", row, ", no multiple of its block"));
  const auto elements = checked_elements(sizes);
  const auto bytes = checked_multiply(elements.value_or(0) / type->elements, type->bytes);
  if (!elements || !bytes) fail("is larger than any file");
  placed.bytes = *bytes;
  placed.entry.name = name;
  placed.entry.type = std::string(type->name);
  placed.entry.shape.assign(sizes.rbegin(), sizes.rend());
  return placed;
}

void GgufParser::place_tensors(std::vector<Placed> placed, std::uint64_t data_begin) {
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  const std::uint64_t size = file_.bytes.size();
  const std::uint64_t data_bytes = data_begin < size ? size - data_begin : 0;
  std::uint64_t end = 0;
  for (Placed& tensor : placed) {
    const std::string name = tensor.entry.name;
    if (tensor.offset > data_bytes || tensor.bytes > data_bytes - tensor.offset) {
      in_.fail_at(tensor.described_at, join("tensor '", name, "' has ", tensor.bytes, " bytes at ",
                                            tensor.offset, ", the file holds ", data_bytes));
    }
    if (tensor.offset < end) {
      in_.fail_at(tensor.described_at, "tensor '" + name + "' overlaps the one before it");
    }
    end = tensor.offset + tensor.bytes;
    tensor.entry.file_offset = data_begin + tensor.offset;
    // An empty tensor may stand after the last byte of a file that ends early.
    tensor.entry.bytes = {tensor.bytes == 0
                              ? std::span<const std::byte>()
                              : file_.bytes.subspan(tensor.entry.file_offset, tensor.bytes),
                          file_.owner};
    if (!tensors.emplace(name, std::move(tensor.entry)).second) {
      in_.fail_at(tensor.described_at, "tensor '" + name + "' comes twice");
    }
  }
}

}  // namespace clmx
