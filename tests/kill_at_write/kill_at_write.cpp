// Preloaded into the program. Counts the calls that change files below the folder KILL_BELOW and
// kills the process just before call KILL_AT. The number of calls so far goes to the file
// KILL_COUNT. With REFUSE_RENAMEAT2 there is no renameat2, as on other systems.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

int calls = 0;

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

void note(int count) {
  const char* const to = getenv("KILL_COUNT");
  if (to == nullptr) return;
  const int fd =
      real<int (*)(const char*, int, ...)>("open")(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dprintf(fd, "%d", count);
  close(fd);
}

void about_to_change(const char* path) {
  const char* const below = getenv("KILL_BELOW");
  if (below == nullptr || path == nullptr || strncmp(path, below, strlen(below)) != 0) return;
  ++calls;
  note(calls);
  const char* const at = getenv("KILL_AT");
  if (at != nullptr && calls == atoi(at)) raise(SIGKILL);
}

void about_to_change(int fd) {
  char link[64], path[4096] = {};  // NOLINT(modernize-avoid-c-arrays): of C functions
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (readlink(link, path, sizeof path - 1) > 0) about_to_change(path);
}

}  // namespace

extern "C" ssize_t write(int fd, const void* bytes, size_t count) {
  about_to_change(fd);
  return real<ssize_t (*)(int, const void*, size_t)>("write")(fd, bytes, count);
}
extern "C" ssize_t pwrite(int fd, const void* bytes, size_t count, off_t at) {
  about_to_change(fd);
  return real<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite")(fd, bytes, count, at);
}
extern "C" int fsync(int fd) {
  about_to_change(fd);
  return real<int (*)(int)>("fsync")(fd);
}
extern "C" int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  if ((flags & O_CREAT) != 0) about_to_change(path);
  return real<int (*)(const char*, int, ...)>("open")(path, flags, mode);
}
extern "C" int mkdir(const char* path, mode_t mode) {
  about_to_change(path);
  return real<int (*)(const char*, mode_t)>("mkdir")(path, mode);
}
extern "C" int rename(const char* from, const char* to) {
  about_to_change(from);
  return real<int (*)(const char*, const char*)>("rename")(from, to);
}
extern "C" int renameat2(int from_folder, const char* from, int to_folder, const char* to,
                         unsigned flags) {
  if (getenv("REFUSE_RENAMEAT2") != nullptr) {
    errno = EINVAL;
    return -1;
  }
  about_to_change(from);
  using Function = int (*)(int, const char*, int, const char*, unsigned);
  return real<Function>("renameat2")(from_folder, from, to_folder, to, flags);
}
extern "C" int unlinkat(int folder, const char* path, int flags) {
  about_to_change(getenv("KILL_BELOW"));  // relative to a folder that is being removed
  return real<int (*)(int, const char*, int)>("unlinkat")(folder, path, flags);
}
