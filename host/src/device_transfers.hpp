#pragma once

#include "clmx/host/tap.hpp"

namespace clmx {

/// Counts the transfer and shows it to the thread's tap.
void note(const DeviceTransfer& transfer);

}  // namespace clmx
