#pragma once

#include <functional>
#include <string_view>

#include "clmx/devices/trace.hpp"

namespace clmx::cli {

/// The trace as Chrome's JSON, handed to `write` piece by piece. A process per device and one for
/// the host, a thread per stream or host thread; a command of a stream stands on both and is joined
/// by a flow arrow.
void write_trace_json(const Trace& trace, const std::function<void(std::string_view)>& write);

}  // namespace clmx::cli
