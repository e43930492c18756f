#include "compare_svg.hpp"

#include <array>
#include <ostream>

#include "clmx/devices/error.hpp"
#include "markup.hpp"

namespace clmx::cli {

std::string colour(std::size_t device) {
  return join("var(--d", device % 6, ')');
}

void open_svg(std::ostream& out, double width, double height, const char* title) {
  out << "<div class=\"wide\"><svg viewBox=\"0 0 " << width << ' ' << height
      << "\" role=\"img\" aria-label=\"" << title << "\">\n";
}

void close_svg(std::ostream& out) {
  out << "</svg></div>\n";
}

void text(std::ostream& out, double x, double y, const std::string& words, const char* attributes) {
  out << "<text x=\"" << x << "\" y=\"" << y << "\" " << attributes << '>' << escaped_markup(words)
      << "</text>\n";
}

void upright(std::ostream& out, double x, double from, double to, const char* kind) {
  out << "<line class=\"" << kind << "\" x1=\"" << x << "\" x2=\"" << x << "\" y1=\"" << from
      << "\" y2=\"" << to << "\"/>\n";
}

void mark(std::ostream& out, double x, double y, std::size_t device, const std::string& title) {
  constexpr std::array shapes{"M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0", "M-3.5-3.5h7v7h-7z",
                              "M0-5L5 0L0 5L-5 0z", "M0-5L5 4H-5z"};
  out << "<path transform=\"translate(" << x << ' ' << y << ")\" d=\""
      << shapes[device % shapes.size()] << "\" fill=\"" << colour(device)
      << "\" fill-opacity=\".8\"><title>" << escaped_markup(title) << "</title></path>\n";
}

void write_key(std::ostream& out, const std::vector<std::string>& devices) {
  out << "<p>";
  for (std::size_t i = 0; i < devices.size(); ++i) {
    out << "<span class=\"key\"><svg style=\"display:inline;width:12px;min-width:0;height:12px\" "
           "viewBox=\"-6 -6 12 12\">";
    mark(out, 0, 0, i, devices[i]);
    out << "</svg> " << escaped_markup(devices[i]) << "</span>";
  }
  out << "</p>\n";
}

}  // namespace clmx::cli
