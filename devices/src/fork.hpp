#pragma once

namespace clmx {

/// From now on a process forked from this one knows that it is.
void watch_forks();
/// Whether this process was forked from one that had used OpenCL. Its objects are then left alone.
bool forked();
/// Throws ForkedProcess.
[[noreturn]] void throw_forked();

}  // namespace clmx
