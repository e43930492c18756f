#include "compare_page.hpp"

#include <ostream>

#include "clmx/devices/error.hpp"
#include "markup.hpp"
#include "numerics_report.hpp"

namespace clmx::cli {
namespace {

constexpr const char* style = R"(
:root{--back:#fff;--ink:#1b1f24;--faint:#667;--line:#d0d7de;--wrong:#c0262d;
--d0:#0063a6;--d1:#c04e00;--d2:#00785a;--d3:#a8427f;--d4:#8a6a00;--d5:#5b4bc4;--heat:0,99,166}
@media(prefers-color-scheme:dark){:root{--back:#14171c;--ink:#e6e8eb;--faint:#9aa4b2;--line:#343b46;
--wrong:#ff6b70;--d0:#58b4f5;--d1:#ff9a52;--d2:#3fcf9f;--d3:#f08cc8;--d4:#e8c14a;--d5:#a99cff;
--heat:88,180,245}}
body{background:var(--back);color:var(--ink);font:15px/1.45 system-ui,sans-serif;margin:0 auto;
max-width:62em;padding:1em}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.8em}p,.note{color:var(--faint);max-width:46em}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid var(--line);padding:.25em .6em;text-align:left;white-space:nowrap}
td.n{text-align:right}.bad{color:var(--wrong);font-weight:600}code{font-size:.9em}
svg{display:block;min-width:34em;width:100%;height:auto}svg text{fill:var(--ink);font:12px
system-ui,sans-serif}svg .axis{stroke:var(--line)}svg .limit{stroke:var(--wrong);stroke-width:1.5}
svg .faint{fill:var(--faint)}.key{display:inline-block;margin-right:1.2em;white-space:nowrap}
)";

}  // namespace

void open_page(std::ostream& out, const std::string& title) {
  out << "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n"
         "<title>clmx compare</title><style>"
      << style << "</style></head><body>\n<h1>" << escaped_markup(title) << "</h1>\n";
}

void close_page(std::ostream& out) {
  out << "</body></html>\n";
}

std::string cell(const std::string& text, const char* kind) {
  return join("<td", *kind ? join(" class=\"", kind, "\"") : "", '>', escaped_markup(text),
              "</td>");
}

std::string row_of(const Row& cells, const char* tag) {
  std::string row = "<tr>";
  for (const std::string& each : cells)
    row += join('<', tag, '>', escaped_markup(each), "</", tag, '>');
  return row + "</tr>\n";
}

void write_numerics(std::ostream& out, const std::vector<std::string>& devices,
                    const NumericsOfDevices& numerics) {
  out << "<h2>How each device computes</h2>\n<p>Its own arithmetic and built-in functions, by "
         "values. clmx uses none of the functions.</p>\n";
  for (std::size_t i = 0; i < numerics.size(); ++i) {
    out << "<h3>" << escaped_markup(devices[i]) << "</h3>\n";
    if (!numerics[i]) {
      out << "<p>could not be measured</p>\n";
      continue;
    }
    out << "<div class=\"wide\"><table>\n";
    for (const Row& row : arithmetic_rows(*numerics[i])) out << row_of(row);
    out << "</table><table>\n";
    for (const Row& row : function_rows(*numerics[i])) out << row_of(row);
    out << "</table></div>\n";
  }
}

NumericsOfDevices numerics_of(std::span<const Device> devices) {
  NumericsOfDevices all;
  for (const Device& device : devices) {
    try {
      all.emplace_back(measure_numerics(device));
    } catch (const Error&) {
      all.emplace_back();
    }
  }
  return all;
}

}  // namespace clmx::cli
