#pragma once

#include <filesystem>
#include <string>

namespace clmx {

/// A folder that appears under its name whole or not at all: its files are written into path(),
/// a hidden folder beside it, and commit() renames that. Without commit() the hidden folder goes
/// away. One that a killed process left goes away when the next AtomicFolder for the same name is
/// made. Everything but the constructor's refusals throws FormatError with the system's reason.
class AtomicFolder {
 public:
  /// What commit() does with a folder that has the name already.
  enum class Existing { refuse, replace };
  /// Throws ArgumentError when the name is taken by anything (refuse), or by something that is no
  /// folder (replace).
  AtomicFolder(const std::filesystem::path& target, Existing existing);
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  ~AtomicFolder();
  /// Where the files go until commit().
  const std::filesystem::path& path() const { return temporary_; }
  /// The names of both are exchanged in one step where the file system can; else the old folder
  /// stands aside under a hidden name for a moment, and if the process is killed in that moment the
  /// next AtomicFolder for the name puts it back. The old folder is removed last. Throws
  /// ArgumentError when the name was taken in the meantime (refuse).
  void commit();
  /// The folder that a name means: absolute, no trailing slash, links followed.
  static std::filesystem::path resolved(const std::filesystem::path& target);
  /// Whether an error's file is this target or in one of its hidden folders: the disk's fault.
  static bool holds(const std::filesystem::path& target, const std::filesystem::path& file);

 private:
  void make();
  bool take(const std::filesystem::path& name);
  void put_in_place();
  void replace();
  [[noreturn]] void fail(const char* action, int error) const;

  std::filesystem::path target_, temporary_;
  Existing existing_;
  int lock_ = -1;  // of the hidden folder: whoever can lock it may remove it
  bool committed_ = false;
};

}  // namespace clmx
