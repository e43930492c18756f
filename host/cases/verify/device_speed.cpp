#include "device_speed.hpp"

#include <algorithm>

#include "clmx/devices/clock.hpp"
#include "kernel_library.hpp"
#include "stream_reader.hpp"

namespace clmx {
namespace {

constexpr int launches_at_a_time = 200;

template <class Work>
double seconds_of(const Stream& stream, Work work) {
  const Clock::time_point begin = Clock::now();
  work();
  stream.synchronize();
  return seconds_since(begin);
}

/// The least of the times within the time given, at least one; what builds and touches goes first
/// and does not count.
template <class Work>
double best_of(const Stream& stream, double limit, Work work) {
  seconds_of(stream, work);
  double best = seconds_of(stream, work);
  const Clock::time_point begin = Clock::now();
  while (seconds_since(begin) < limit) best = std::min(best, seconds_of(stream, work));
  return best;
}

std::size_t buffer_bytes(const DeviceInfo& device) {
  const std::size_t wanted =
      device.device_class == DeviceClass::emulated ? std::size_t{64} << 20 : std::size_t{256} << 20;
  return std::min({wanted, device.global_bytes / 8, device.max_allocation_bytes / 2});
}

}  // namespace

DeviceSpeed measure_speed(const Device& device, double seconds) {
  const Stream stream = device.new_stream();
  const std::size_t bytes = buffer_bytes(device.info());
  DeviceSpeed speed;
  {
    StreamReader reader(stream, bytes, bytes);
    const double time = best_of(stream, seconds / 2, [&] { reader.enqueue(); });
    speed.stream_bytes_per_s = static_cast<double>(reader.bytes()) / time;
  }
  const Buffer to = Buffer::allocate(stream, 64);
  const Kernel kernel = device.kernel({kernels(), "read.cl", "do_nothing", {}});
  const double time = best_of(stream, seconds / 2, [&] {
    for (int i = 0; i < launches_at_a_time; ++i) stream.launch(kernel, Grid{}, BufferArgument{to});
  });
  speed.launch_s = time / launches_at_a_time;
  device.trim_memory();
  return speed;
}

DeviceSpeed stored_or_measured_speed(const Device& device) {
  SelfCheck check = stored_self_check(device.info()).value_or(SelfCheck{});
  if (check.speed.stream_bytes_per_s > 0) return check.speed;
  check.speed = measure_speed(device, 0.25);
  store_self_check(device.info(), check);
  return check.speed;
}

double estimated_tokens_per_s(const DeviceSpeed& speed, double bytes, double launches) {
  if (speed.stream_bytes_per_s <= 0) return 0;
  const double time = bytes / speed.stream_bytes_per_s + launches * speed.launch_s;
  return time > 0 ? 1 / time : 0;
}

}  // namespace clmx
