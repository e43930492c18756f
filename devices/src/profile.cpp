#include "cl_error.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

LaunchTime measured(const StreamState::Sample& sample, const DeviceInfo& device) {
  if (sample.event() == nullptr) return {sample.kernel->entry, sample.seconds, true};
  cl_ulong start = 0, end = 0;
  check(sample.event.getProfilingInfo(CL_PROFILING_COMMAND_START, &start), device,
        "clGetEventProfilingInfo");
  check(sample.event.getProfilingInfo(CL_PROFILING_COMMAND_END, &end), device,
        "clGetEventProfilingInfo");
  return {sample.kernel->entry, static_cast<double>(end - start) * 1e-9, false};
}

}  // namespace

std::vector<LaunchTime> Stream::take_profile() const {
  synchronize();
  std::vector<StreamState::Sample> samples;
  {
    const std::lock_guard lock(state_->mutex);
    samples.swap(state_->samples);
  }
  std::vector<LaunchTime> times;
  times.reserve(samples.size());
  for (const auto& sample : samples) times.push_back(measured(sample, state_->device.info));
  return times;
}

}  // namespace clmx
