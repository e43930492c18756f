#pragma once

#include <filesystem>

namespace clmx {

/// The golden cases that the program carries, written to a folder of their own in the system's
/// place for temporary files; removed with this object.
class EmbeddedGolden {
 public:
  /// Throws FormatError, with the system's reason, when they cannot be written.
  EmbeddedGolden();
  EmbeddedGolden(const EmbeddedGolden&) = delete;
  EmbeddedGolden& operator=(const EmbeddedGolden&) = delete;
  ~EmbeddedGolden();
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

}  // namespace clmx
