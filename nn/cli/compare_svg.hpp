#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace clmx::cli {

/// The pieces of inline SVG charts. Colours are the page's variables --d0 to --d5, classes those of
/// its style: axis, limit, faint.
std::string colour(std::size_t device);
void open_svg(std::ostream& out, double width, double height, const char* title);
void close_svg(std::ostream& out);
void text(std::ostream& out, double x, double y, const std::string& words,
          const char* attributes = "");
void upright(std::ostream& out, double x, double from, double to, const char* kind);
/// Circle, square, diamond, triangle, so that colour is not all that tells devices apart.
void mark(std::ostream& out, double x, double y, std::size_t device, const std::string& title);
/// Which mark is which device's.
void write_key(std::ostream& out, const std::vector<std::string>& devices);

}  // namespace clmx::cli
