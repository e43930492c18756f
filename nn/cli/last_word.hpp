#pragma once

namespace clmx::cli {

/// For the start of main: drivers may call abort() or exit() where they cannot go on. From now on
/// such an end is explained on stderr, and the process leaves with ExitCode::device.
void explain_unexpected_ends();
/// For the end of main.
void end_is_expected();

}  // namespace clmx::cli
