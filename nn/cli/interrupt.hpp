#pragma once

namespace clmx::cli {

/// From here on Ctrl-C only sets a flag; a second one ends the process at once with status 130.
void watch_interrupts();
bool interrupted();

}  // namespace clmx::cli
