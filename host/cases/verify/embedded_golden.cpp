#include "embedded_golden.hpp"

#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp

#include <cerrno>
#include <system_error>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"
#include "embedded_files.hpp"

namespace clmx {
namespace {

std::filesystem::path new_folder() {
  std::error_code error;
  const std::filesystem::path place = std::filesystem::temp_directory_path(error);
  std::string name = (place / "clmx-golden-XXXXXX").string();
  if (error || mkdtemp(name.data()) == nullptr) {
    const std::error_code reason = error ? error : std::error_code(errno, std::generic_category());
    throw FormatError(name, 0, "cannot be made for the program's own cases: " + reason.message());
  }
  return name;
}

}  // namespace

EmbeddedGolden::EmbeddedGolden() : folder_(new_folder()) {
  try {
    for (const EmbeddedFile& file : embedded_files()) {
      const std::filesystem::path path = folder_ / file.name;
      std::filesystem::create_directories(path.parent_path());
      write_file_atomically(path, file.bytes);
    }
  } catch (const std::filesystem::filesystem_error& error) {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    throw FormatError(folder_.string(), 0, error.code().message());
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    throw;
  }
}

EmbeddedGolden::~EmbeddedGolden() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace clmx
