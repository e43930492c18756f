#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace clmx {

/// A file that appears under its name whole or not at all: written under a temporary name in the
/// same folder, synced and renamed by commit(). Without commit() the temporary file goes away.
/// Everything throws FormatError with the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();
  void append(std::span<const std::byte> bytes);
  /// Bytes at `offset` from the file's start, wherever append() is.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  void commit();

 private:
  [[noreturn]] void fail(const char* action, int error) const;
  void sync_folder() const;

  std::filesystem::path path_, temporary_;
  int fd_ = -1;
  bool committed_ = false;
};

}  // namespace clmx
