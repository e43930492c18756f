#include "binary_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <mutex>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view temporary_suffix = ".tmp";

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : number_(::open(path.c_str(), flags, 0600)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_;
};

// A binary is code that the driver runs: nobody else may have put it there.
bool only_ours(const struct stat& status) {
  return status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::optional<std::string> read_all(const fs::path& path) {
  const Descriptor file(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  struct stat status {};
  if (!file || ::fstat(file.number(), &status) != 0 || !S_ISREG(status.st_mode) ||
      !only_ours(status)) {
    return std::nullopt;
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::read(file.number(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

bool write_synced(const fs::path& path, std::string_view bytes) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW);
  return file && write_all(file.number(), bytes) && ::fsync(file.number()) == 0;
}

fs::path temporary_for(const fs::path& path) {
  static std::atomic<unsigned> count{0};
  return path.string() + join('.', ::getpid(), '.', count++, temporary_suffix);
}

}  // namespace

std::optional<fs::path> wanted_cache_directory(const Variables& variable) {
  if (const auto directory = variable("CLMX_CACHE_DIR")) return fs::path(*directory);
  if (const auto cache = variable("XDG_CACHE_HOME")) return fs::path(*cache) / "clmx";
  if (const auto home = variable("HOME")) return fs::path(*home) / ".cache" / "clmx";
  return std::nullopt;
}

bool belongs_to_us_alone(const fs::path& directory) {
  struct stat status {};
  return ::stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && only_ours(status);
}

void sweep_temporaries(const fs::path& directory) {
  std::error_code error;
  const auto limit = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (at->path().extension() == temporary_suffix &&
        fs::last_write_time(at->path(), ignored) < limit && !ignored) {
      fs::remove(at->path(), ignored);
    }
  }
}

std::optional<fs::path> cache_directory() {
  auto directory = wanted_cache_directory(environment);
  if (environment("CLMX_CACHE").value_or("on") == "off" || !directory) return std::nullopt;
  std::error_code error;
  if (directory->has_parent_path()) fs::create_directories(directory->parent_path(), error);
  ::mkdir(directory->c_str(), 0700);
  if (!belongs_to_us_alone(*directory)) return std::nullopt;
  static std::once_flag swept;
  std::call_once(swept, [&] { sweep_temporaries(*directory); });
  return directory;
}

fs::path entry_path(const fs::path& directory, std::string_view key) {
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  std::array<char, 33> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx%016llx",
                static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return directory / (std::string(digits.data()) + ".clbin");
}

std::optional<StoredBinary> load_binary(std::string_view key) {
  const auto directory = cache_directory();
  if (!directory) return std::nullopt;
  const auto bytes = read_all(entry_path(*directory, key));
  return bytes ? decode_entry(*bytes, key) : std::nullopt;
}

bool store_binary(std::string_view key, const StoredBinary& binary) {
  const auto directory = cache_directory();
  if (!directory) return false;
  const fs::path path = entry_path(*directory, key);
  const fs::path temporary = temporary_for(path);
  std::error_code error;
  bool stored = write_synced(temporary, encode_entry(key, binary));
  if (stored) fs::rename(temporary, path, error);
  stored = stored && !error;
  if (!stored) fs::remove(temporary, error);
  return stored;
}

}  // namespace clmx
