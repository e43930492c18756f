#include "clmx/host/mapped_pages.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"

namespace clmx {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* action, int error) {
  throw FormatError(path.string(), 0, join(action, ": ", std::generic_category().message(error)));
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

HostBytes map_file(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) fail(path, "cannot be opened", errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) fail(path, "cannot be examined", errno);
  if (!S_ISREG(status.st_mode)) throw FormatError(path.string(), 0, "is not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return {};

  void* const start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (start == MAP_FAILED) fail(path, "cannot be mapped", errno);
  const std::shared_ptr<const void> owner(
      start, [size](const void* mapped) { ::munmap(const_cast<void*>(mapped), size); });
  return {{static_cast<const std::byte*>(start), size}, owner};
}

void release_mapped_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  const std::uintptr_t first = (begin + page - 1) / page * page - begin;
  const std::uintptr_t last = (begin + bytes.size()) / page * page - begin;
  if (begin + first >= begin + last) return;
  const std::byte* const start = bytes.data() + first;
  // A hint: when it fails the pages merely stay.
  ::madvise(const_cast<std::byte*>(start), last - first, MADV_DONTNEED);
}

}  // namespace clmx
