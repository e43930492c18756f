#include "clmx/devices/passage.hpp"

#include <algorithm>
#include <optional>

#include "cl_error.hpp"
#include "fork.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

std::atomic<int> devices_in_use{0};

// Older launches are nearly always done; one that is not is waited for with a later one.
constexpr std::size_t most_events = 256;

std::uint64_t last_use(const StreamState& stream, const Buffer& buffer) {
  std::uint64_t last = 0;
  for (const Use& use : buffer.state()->uses.all()) {
    if (use.stream == stream.number) last = std::max(last, use.sequence);
  }
  return last;
}

// Whether the commands up to `last` are done, after waiting for them where an event tells.
bool wait_until(StreamState& stream, std::uint64_t last) {
  cl::Event end;
  {
    const std::lock_guard lock(stream.mutex);
    if (stream.reports.pending) return false;  // the stream's own read brings the report along
    if (stream.completed >= last) return true;
    end = stream.endings.first_from(last);
    if (end() == nullptr) return false;
  }
  const TraceScope waiting("wait");
  cl_int status = stream.queue.flush();
  if (status == CL_SUCCESS) status = wait_for(stream, end);
  if (status == device_hung) leave_alone(std::move(end));
  if (status != CL_SUCCESS) stream.fail_waiting("clWaitForEvents", status);
  stream.mark_completed(last);
  return true;
}

// Runs `take(way)`. A device that is lost to the transfer stream, even to the making of one, is
// lost to the writer.
template <class Take>
auto take_out(const Stream& writer, const Buffer& buffer, Take take) {
  std::optional<Stream> way;
  try {
    way = way_out(writer, buffer);
    return take(*way);
  } catch (const DeviceError& error) {
    const bool lost = way ? way->state()->dead.load() : loses_device(error.code());
    if (lost && !writer.state()->dead) {
      const std::lock_guard lock(writer.state()->mutex);
      writer.state()->die(error.what());
    }
    throw;
  }
}

}  // namespace

bool several_devices_in_use() {
  return devices_in_use.load(std::memory_order_relaxed) > 1;
}

void count_device_in_use() {
  ++devices_in_use;
}

void LaunchEvents::add(std::uint64_t sequence, const cl::Event& event) {
  if (!endings_.empty() && endings_.back().sequence == sequence) endings_.pop_back();
  endings_.push_back({sequence, event});
  if (endings_.size() > most_events) endings_.pop_front();
}

cl::Event LaunchEvents::first_from(std::uint64_t sequence) const {
  const auto found =
      std::lower_bound(endings_.begin(), endings_.end(), sequence,
                       [](const Ending& ending, std::uint64_t s) { return ending.sequence < s; });
  return found == endings_.end() ? cl::Event() : found->event;
}

void LaunchEvents::drop_until(std::uint64_t sequence) {
  while (!endings_.empty() && endings_.front().sequence <= sequence) endings_.pop_front();
}

void LaunchEvents::abandon() {
  for (Ending& ending : endings_) leave_alone(std::move(ending.event));
  endings_.clear();
}

Stream way_out(const Stream& writer, const Buffer& buffer) {
  StreamState& stream = *writer.state();
  if (!several_devices_in_use() || stream.dead || forked()) return writer;
  const std::uint64_t last = last_use(stream, buffer);
  if (last == 0 || !wait_until(stream, last)) return writer;
  return stream.device.transfer_stream();
}

void read_out(const Stream& writer, const Buffer& from, std::size_t offset,
              std::span<std::byte> bytes) {
  take_out(writer, from, [&](const Stream& way) { way.read(from, offset, bytes); });
}

MappedBuffer map_out(const Stream& writer, const Buffer& buffer, std::size_t offset,
                     std::size_t bytes) {
  return take_out(writer, buffer,
                  [&](const Stream& way) { return way.map(buffer, offset, bytes); });
}

Stream way_in(const Stream& user, std::size_t bytes) {
  if (bytes <= staged_write_bytes) return user;
  return user.state()->device.transfer_stream();
}

}  // namespace clmx
