#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "clmx/devices/device.hpp"
#include "clmx/devices/stream.hpp"
#include "kernel_table.hpp"
#include "memory_pool.hpp"
#include "opencl.hpp"
#include "stream_registry.hpp"

namespace clmx {

/// Everything of one device. Made by enumeration, never destroyed: drivers do not survive their
/// objects being released while the process ends.
struct DeviceState {
  DeviceState(DeviceInfo actual_info, DeviceInfo device_info, cl::Device cl_device)
      : actual(std::move(actual_info)),
        info(std::move(device_info)),
        device(std::move(cl_device)),
        pool(*this),
        kernels(*this) {}

  /// Made at the first use: some drivers take long.
  const cl::Context& context();
  bool has_context() const { return has_context_; }
  /// Takes somebody else's context for its own; before the first use of context().
  void adopt(const cl::Context& context);
  bool wraps_host_memory();
  Stream default_stream();
  /// For what runs beside the work of other streams; made at first use.
  Stream transfer_stream();

  const DeviceInfo actual;  ///< for what depends on the driver, whatever CLMX_PRETEND says
  const DeviceInfo info;
  const cl::Device device;
  std::atomic<std::uint64_t> losses{0};  ///< how many of its streams died
  std::atomic<bool> in_use{false};       ///< a stream of it was made
  StreamRegistry streams;
  MemoryPool pool;
  KernelTable kernels;

 private:
  std::once_flag context_once_, wrap_once_;
  std::mutex default_stream_mutex_;
  std::atomic<bool> has_context_{false};
  cl::Context context_;
  bool wraps_ = false;
  std::uint64_t transfer_losses_ = 0;  // when the transfer stream was made
  std::optional<Stream> default_stream_, transfer_stream_;
};

/// All devices in the stable order and what enumeration passed over; found at the first call.
struct Devices {
  std::vector<std::unique_ptr<DeviceState>> states;
  std::vector<Device> handles;
  std::vector<DeviceProblem> problems;
};
Devices& devices();
/// The same, the sub-devices made so far and the devices in foreign contexts.
std::vector<DeviceState*> all_device_states();

/// True once the process has begun to end: OpenCL objects are then left alone.
bool process_ends();
/// Has queues finished and binaries saved when the process ends, by exit or quick_exit. Exit
/// handlers run in reverse, and ours must come before the drivers': called again after each first
/// use of a part of a driver.
void finish_at_exit();
/// On the main thread: has queues finished before any exit handler runs.
void finish_ahead_of_handlers();

/// Takes an OpenCL object over for the rest of the process.
template <class Object>
void leave_alone(Object object) {
  static std::mutex mutex;
  static auto* const kept = new std::vector<Object>;
  const std::lock_guard lock(mutex);
  kept->push_back(std::move(object));
}

}  // namespace clmx
