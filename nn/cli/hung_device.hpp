#pragma once

namespace clmx::cli {

/// Waits give up on a device that completes nothing for 20 seconds, or for CLMX_HANG_LIMIT seconds;
/// 0 waits for ever. Throws UsageError when that is malformed.
void limit_hangs();

/// Ends the process with `status` and without the drivers' exit handlers: with a device that hung
/// they wait for their kernels (0 becomes ExitCode::device then, and nothing is finished or saved),
/// and without one they may still race with a driver's worker threads.
[[noreturn]] void leave(int status);

}  // namespace clmx::cli
