#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>

#include "cl_error.hpp"
#include "device_state.hpp"
#include "fork.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

std::atomic<bool> ending{false};

void finish_everything() {
  if (forked() || ending.exchange(true)) return;
  for (DeviceState* const state : all_device_states()) {
    state->streams.finish_all();
    // A device that hangs would not come back from compiling for its binaries.
    if (!state->streams.any_lost()) state->kernels.save_binaries();
  }
}

// exit() ends its thread's own objects before it calls any handler, and so before the static
// objects go that a driver's compiler made on a thread of the driver's, after our last handler was
// registered: work that is still pending can be waited for here only. Of the main thread alone, as
// other threads' objects end with the thread.
struct FinishAheadOfHandlers {
  ~FinishAheadOfHandlers() {
    if (forked() || ending) return;
    for (DeviceState* const state : all_device_states()) state->streams.finish_all();
    std::atexit(finish_everything);
  }
};

}  // namespace

void finish_ahead_of_handlers() {
  // Asked once a thread: ops ask for devices all the time.
  [[maybe_unused]] static thread_local const auto arranged =
      ::getpid() == ::gettid() ? std::make_unique<FinishAheadOfHandlers>() : nullptr;
}

bool process_ends() {
  return ending || forked();
}

void finish_at_exit() {
  std::atexit(finish_everything);
  // No driver has handlers there: once, whenever, is enough.
  [[maybe_unused]] static const int arranged = std::at_quick_exit(finish_everything);
}

const cl::Context& DeviceState::context() {
  if (forked()) throw_forked();
  std::call_once(context_once_, [this] {
    cl_int status = CL_SUCCESS;
    context_ = cl::Context(device, nullptr, nullptr, nullptr, &status);
    check(status, info, "clCreateContext");
    has_context_ = true;
    finish_at_exit();
  });
  return context_;
}

void DeviceState::adopt(const cl::Context& context) {
  std::call_once(context_once_, [&] {
    context_ = context;
    has_context_ = true;
    finish_at_exit();
  });
}

Stream DeviceState::default_stream() {
  const std::lock_guard lock(default_stream_mutex_);
  if (!default_stream_ || default_stream_->state()->dead)
    default_stream_ = Device(this).new_stream();
  return *default_stream_;
}

Stream DeviceState::transfer_stream() {
  std::optional<Stream> before;  // destroyed, which waits for it, without the lock
  const std::lock_guard lock(default_stream_mutex_);
  // One that was there when another stream lost the device may have lost it as well.
  const std::uint64_t now = losses;
  if (!transfer_stream_ || transfer_stream_->state()->dead || transfer_losses_ != now) {
    before.swap(transfer_stream_);
    transfer_losses_ = now;
    transfer_stream_ = Stream(std::make_shared<StreamState>(*this, StreamOptions{}, "transfers"));
  }
  return *transfer_stream_;
}

std::span<const Device> Device::all() {
  const Devices& all = devices();
  finish_ahead_of_handlers();
  return all.handles;
}

std::span<const DeviceProblem> Device::problems() {
  return devices().problems;
}

const DeviceInfo& Device::info() const {
  return state_->info;
}

bool Device::wraps_host_memory() const {
  return state_->wraps_host_memory();
}

Stream Device::new_stream(StreamOptions options) const {
  finish_ahead_of_handlers();
  return Stream(std::make_shared<StreamState>(*state_, options));
}

Stream Device::default_stream() const {
  return state_->default_stream();
}

Kernel Device::kernel(const KernelSpec& spec) const {
  return state_->kernels.get(spec);
}

MemoryStats Device::memory() const {
  return state_->pool.stats();
}

void Device::reset_peak_memory() const {
  state_->pool.reset_peak();
}

void Device::trim_memory() const {
  state_->pool.trim();
}

Stream default_stream(const Device& device) {
  return device.default_stream();
}

}  // namespace clmx
