#include "clmx/host/atomic_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

namespace fs = std::filesystem;

constexpr const char* op = "AtomicFolder";

fs::path beside(const fs::path& target, const char* mark) {
  return target.parent_path() / join('.', target.filename().string(), mark);
}
fs::path aside(const fs::path& target) {
  return beside(target, ".clmx-old");
}

int open_folder(const fs::path& path) {
  return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

void sync_folder(const fs::path& path) {
  const int fd = open_folder(path);
  if (fd < 0) return;  // one may write to a folder that one may not read
  ::fsync(fd);
  ::close(fd);
}

bool is_missing(const fs::path& path) {
  return fs::symlink_status(path).type() == fs::file_type::not_found;
}

/// rename with RENAME_NOREPLACE or RENAME_EXCHANGE; ENOSYS where there is none.
int rename_with(const fs::path& from, const fs::path& to, unsigned flags) {
#if defined(RENAME_NOREPLACE) && defined(RENAME_EXCHANGE)
  return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0 ? 0 : errno;
#else
  static_cast<void>(from), static_cast<void>(to), static_cast<void>(flags);
  return ENOSYS;
#endif
}
#if !defined(RENAME_NOREPLACE) || !defined(RENAME_EXCHANGE)
constexpr unsigned RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2;
#endif

bool is_unknown_call(int error) {
  return error == ENOSYS || error == EINVAL || error == ENOTSUP;
}

/// A folder of the target's that stood aside when a process was killed: back, or away if the new
/// one is there.
void settle_what_stands_aside(const fs::path& target) {
  const fs::path old = aside(target);
  if (is_missing(old)) return;
  std::error_code ignored;
  if (is_missing(target)) {
    fs::rename(old, target, ignored);
  } else {
    fs::remove_all(old, ignored);
  }
}

/// Removes hidden folders whose processes are gone.
void remove_stale(const fs::path& target) {
  const std::string prefix = beside(target, ".clmx-tmp-").filename().string();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(target.parent_path(), error)) {
    if (!entry.path().filename().string().starts_with(prefix)) continue;
    const int fd = open_folder(entry.path());
    if (fd < 0) continue;
    std::error_code ignored;
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), ignored);
    ::close(fd);
  }
}

}  // namespace

AtomicFolder::AtomicFolder(const fs::path& target, Existing existing)
    : target_(resolved(target)), existing_(existing) {
  settle_what_stands_aside(target_);
  require(existing_ == Existing::replace || is_missing(target_), op, target_.string(),
          " is there already");
  require(is_missing(target_) || fs::is_directory(target_), op, target_.string(),
          " is there and is not a folder");
  remove_stale(target_);
  make();
}

// So that a rename means what it says.
fs::path AtomicFolder::resolved(const fs::path& target) {
  const fs::path whole = fs::weakly_canonical(fs::absolute(target));
  return whole.has_filename() ? whole : whole.parent_path();
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_, ignored);
  ::close(lock_);
}

void AtomicFolder::make() {
  static std::atomic<unsigned> counter = 0;
  const std::string stem = beside(target_, ".clmx-tmp-").string();
  for (int attempt = 0; attempt < 100; ++attempt) {
    const fs::path name = join(stem, ::getpid(), '-', counter++);
    if (::mkdir(name.c_str(), 0777) != 0) {
      if (errno == EEXIST) continue;
      fail("cannot be created", errno);
    }
    if (take(name)) return;
  }
  fail("cannot be created", EEXIST);
}

// Another process may have found the folder stale before it was locked: then it is the other's.
bool AtomicFolder::take(const fs::path& name) {
  const int fd = open_folder(name);
  if (fd < 0) return false;
  struct stat opened {
  }, named{};
  const bool mine = ::flock(fd, LOCK_EX | LOCK_NB) == 0 && ::fstat(fd, &opened) == 0 &&
                    ::lstat(name.c_str(), &named) == 0 && opened.st_ino == named.st_ino;
  if (!mine) {
    ::close(fd);
    return false;
  }
  lock_ = fd;
  temporary_ = name;
  return true;
}

void AtomicFolder::commit() {
  if (::fsync(lock_) != 0) fail("cannot be synced", errno);
  if (existing_ == Existing::replace && !is_missing(target_)) {
    replace();
  } else {
    put_in_place();
  }
  committed_ = true;
  sync_folder(target_.parent_path());
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);  // the old folder, if they were exchanged
  settle_what_stands_aside(target_);
}

void AtomicFolder::put_in_place() {
  int error = rename_with(temporary_, target_, RENAME_NOREPLACE);
  if (is_unknown_call(error)) {
    error = EEXIST;
    if (is_missing(target_)) {
      error = ::rename(temporary_.c_str(), target_.c_str()) == 0 ? 0 : errno;
    }
  }
  require(error != EEXIST, op, target_.string(), " is there already");
  if (error != 0) fail("cannot be renamed", error);
}

void AtomicFolder::replace() {
  const int error = rename_with(temporary_, target_, RENAME_EXCHANGE);
  if (error == 0) return;
  if (!is_unknown_call(error)) fail("cannot be exchanged", error);
  if (::rename(target_.c_str(), aside(target_).c_str()) != 0) fail("cannot be renamed", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    const int reason = errno;
    settle_what_stands_aside(target_);
    fail("cannot be renamed", reason);
  }
}

bool AtomicFolder::holds(const fs::path& target, const fs::path& file) {
  const fs::path whole = resolved(target);
  return file == whole || file.string().starts_with(beside(whole, ".clmx-tmp-").string());
}

void AtomicFolder::fail(const char* action, int error) const {
  throw FormatError(target_.string(), 0,
                    join(action, ": ", std::generic_category().message(error)));
}

}  // namespace clmx
