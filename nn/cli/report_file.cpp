#include "report_file.hpp"

#include <span>
#include <stdexcept>

#include "clmx/devices/error.hpp"
#include "clmx/host/safetensors.hpp"

namespace clmx::cli {

void write_report(const std::string& path, const std::string& text) {
  try {
    write_file_atomically(path, std::as_bytes(std::span(text)));
  } catch (const FormatError& error) {
    throw std::runtime_error(error.what());  // the disk's fault, not a model's
  }
}

std::string quoted(const std::string& word) {
  constexpr const char* plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string safe = "'";
  for (const char c : word) safe += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return safe + "'";
}

}  // namespace clmx::cli
