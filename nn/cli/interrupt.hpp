#pragma once

namespace clmx::cli {

/// From here on Ctrl-C only sets a flag; a second one ends the process at once.
void watch_interrupts();
/// The same for SIGTERM and SIGHUP: where something has to be cleaned up.
void watch_terminations();
bool interrupted();
/// 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, as shells say it.
int interrupted_status();

}  // namespace clmx::cli
