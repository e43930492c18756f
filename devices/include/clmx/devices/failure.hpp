#pragma once

#include <chrono>
#include <string_view>

#include "clmx/devices/error.hpp"
#include "clmx/devices/stream.hpp"

namespace clmx {

/// A device that completed nothing for the hang limit while work was pending. The message names the
/// kernels that did not end. Every stream of the device is dead from then on, and host memory
/// handed to the call that threw stays the driver's; the process should leave soon, and by
/// std::_Exit, since some drivers wait for their kernels when it ends.
class DeviceHung : public DeviceError {
 public:
  using DeviceError::DeviceError;
};

/// Devices were used in a process that was forked from one that had used OpenCL: most drivers would
/// hang. Fork before the first use, or run another program.
class ForkedProcess : public DeviceError {
 public:
  using DeviceError::DeviceError;
};

/// How long a wait (Stream::synchronize, read, write, map, Event::wait, ...) bears with a device
/// that completes nothing before it throws DeviceHung. Only the lack of any progress counts,
/// however long the queue is; compiling at a first launch and one long kernel are no progress. 0,
/// the default: for ever, at no cost. Set it before work is enqueued. Any thread.
void set_hang_limit(std::chrono::milliseconds limit);
std::chrono::milliseconds hang_limit();

/// Whether DeviceHung was thrown in this process: it should leave by std::_Exit.
///
/// Any other end, by std::exit or a return from main, as by std::quick_exit, first finishes what is
/// enqueued on every stream and saves built kernels. Call std::exit on the main thread: on another
/// one with work pending, a driver that compiles just then crashes (PoCL 3.1 does), because exit
/// handlers have destroyed what its compiler uses. std::quick_exit passes over all exit handlers:
/// flush the standard streams and prefer it in programs.
bool any_device_hung();

/// Whether the stream takes work: false once its device failed (a dead stream).
bool is_alive(const Stream& stream);

}  // namespace clmx
