#pragma once

namespace clmx::cli {

/// Waits give up on a device that completes nothing for 20 seconds, or for CLMX_HANG_LIMIT seconds;
/// 0 waits for ever. Throws UsageError when that is malformed.
void limit_hangs();

/// What main returns for `status`. Where a device hung it does not return: it leaves without the
/// exit handlers, in which drivers wait for their kernels, and 0 becomes ExitCode::device.
int leave(int status);

}  // namespace clmx::cli
