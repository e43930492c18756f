#pragma once

#include "clmx/devices/kernel.hpp"

namespace clmx {

/// The kernels of cl/, embedded by the build.
const KernelLibrary& kernels();

}  // namespace clmx
