#pragma once

#include <string>

namespace clmx {

/// Text for XML and HTML, attributes too. Control characters, which XML 1.0 has no place for,
/// become spaces.
std::string escaped_markup(const std::string& text);

}  // namespace clmx
