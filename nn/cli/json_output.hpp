#pragma once

#include <nlohmann/json.hpp>
#include <span>

#include "clmx/devices/device.hpp"

namespace clmx::cli {

/// Keys in the order they are written.
using Json = nlohmann::ordered_json;

/// A document with its schema number, to be filled in.
inline Json new_document() {
  return Json{{"schema", 1}};
}

/// [{where, reason}]: what enumeration or a command passed over.
Json described(std::span<const DeviceProblem> problems);

/// Writes the document and a newline to stdout; bytes that are not UTF-8 become U+FFFD.
void print(const Json& document);
/// Throws std::runtime_error when stdout did not take everything.
void finish_stdout();

}  // namespace clmx::cli
