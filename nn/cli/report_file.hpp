#pragma once

#include <string>

namespace clmx::cli {

/// Writes a text under a temporary name, syncs and renames. Throws std::runtime_error when the disk
/// refuses.
void write_report(const std::string& path, const std::string& text);

/// A word of a command line for a POSIX shell.
std::string quoted(const std::string& word);

}  // namespace clmx::cli
