#pragma once

#include <cstring>
#include <span>
#include <string>
#include <type_traits>

#include "clmx/devices/error.hpp"

namespace clmx {

/// Reads little-endian values out of a file's bytes, one after the other. Whatever would pass the
/// end throws FormatError with the place.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string file)
      : bytes_(bytes), file_(std::move(file)) {}

  template <class T>
  requires std::is_arithmetic_v<T> T read(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }
  /// A u64 length and so many bytes, at most max_bytes.
  std::string_view text(std::string_view what, std::uint64_t max_bytes) {
    const std::uint64_t at = position_;
    const auto length = read<std::uint64_t>(what);
    if (length > max_bytes) {
      fail_at(at, join(what, " has ", length, " bytes; at most ", max_bytes, " are allowed"));
    }
    const auto bytes = take(length, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  /// A u64 number of items that have at least bytes_each bytes each, so that it cannot be a lie.
  std::uint64_t count(std::string_view what, std::uint64_t bytes_each) {
    const std::uint64_t at = position_;
    const auto number = read<std::uint64_t>(what);
    if (number > remaining() / bytes_each) {
      fail_at(at, join(what, " is ", number, ", for which the file is too short"));
    }
    return number;
  }

  std::uint64_t position() const { return position_; }
  std::uint64_t remaining() const { return bytes_.size() - position_; }
  [[noreturn]] void fail(const std::string& reason) const { fail_at(position_, reason); }
  [[noreturn]] void fail_at(std::uint64_t place, const std::string& reason) const {
    throw FormatError(file_, place, reason);
  }

 private:
  std::span<const std::byte> take(std::uint64_t length, std::string_view what) {
    if (length > remaining()) fail(join("the file ends inside ", what));
    const auto bytes = bytes_.subspan(position_, length);
    position_ += length;
    return bytes;
  }

  std::span<const std::byte> bytes_;
  std::string file_;
  std::uint64_t position_ = 0;
};

}  // namespace clmx
