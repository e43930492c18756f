#pragma once

#include <string_view>

namespace clmx {

/// The short name of a platform by its CL_PLATFORM_NAME, e.g. "pocl"; empty for an unknown one.
std::string_view platform_alias(std::string_view platform);

}  // namespace clmx
