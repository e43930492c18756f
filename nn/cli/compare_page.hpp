#pragma once

#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "numerics.hpp"
#include "text_table.hpp"

namespace clmx::cli {

/// How each device computes, in the order of the devices; absent where it could not be measured.
using NumericsOfDevices = std::vector<std::optional<Numerics>>;
NumericsOfDevices numerics_of(std::span<const Device> devices);

/// The head with the style, up to the first heading; light and dark as the reader's system says.
void open_page(std::ostream& out, const std::string& title);
void close_page(std::ostream& out);
/// A cell and a row of a table, the text escaped. kind: a class of the style, "n" or "bad".
std::string cell(const std::string& text, const char* kind = "");
std::string row_of(const Row& cells, const char* tag = "td");
void write_numerics(std::ostream& out, const std::vector<std::string>& devices,
                    const NumericsOfDevices& numerics);

}  // namespace clmx::cli
