#include "hang.hpp"

#include <algorithm>
#include <condition_variable>

#include "clmx/devices/failure.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

std::atomic<std::int64_t> limit_ms{0};
std::atomic<bool> any_hung{false};

using Clock = std::chrono::steady_clock;

/// Opened by a driver's thread when a command has ended.
class Latch {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool opens_within(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// The latch is shared: the driver may call after the waiter has given up.
void CL_CALLBACK open_latch(cl_event, cl_int, void* held) {
  const std::unique_ptr<std::shared_ptr<Latch>> latch(static_cast<std::shared_ptr<Latch>*>(held));
  (*latch)->open();
}

bool opens_at_end(const std::shared_ptr<Latch>& latch, const cl::Event& event) {
  auto held = std::make_unique<std::shared_ptr<Latch>>(latch);
  if (clSetEventCallback(event(), CL_COMPLETE, open_latch, held.get()) != CL_SUCCESS) return false;
  static_cast<void>(held.release());
  return true;
}

bool has_ended(const cl::Event& event) {
  cl_int execution = CL_QUEUED;
  const cl_int status = event.getInfo(CL_EVENT_COMMAND_EXECUTION_STATUS, &execution);
  return status != CL_SUCCESS || execution <= CL_COMPLETE;
}

struct MarkedLaunch {
  std::shared_ptr<Marks> marks;
  std::uint64_t sequence;
};

void raise(std::atomic<std::uint64_t>& value, std::uint64_t to) {
  std::uint64_t before = value;
  while (before < to && !value.compare_exchange_weak(before, to)) {
  }
}

void CL_CALLBACK tell(cl_event, cl_int status, void* told) {
  const std::unique_ptr<MarkedLaunch> launch(static_cast<MarkedLaunch*>(told));
  raise(status <= CL_COMPLETE ? launch->marks->ended : launch->marks->started, launch->sequence);
  ++launch->marks->news;
}

}  // namespace

void set_hang_limit(std::chrono::milliseconds limit) {
  limit_ms = limit.count();
}

std::chrono::milliseconds hang_limit() {
  return std::chrono::milliseconds(limit_ms.load(std::memory_order_relaxed));
}

bool has_hang_limit() {
  return limit_ms.load(std::memory_order_relaxed) > 0;
}

bool any_device_hung() {
  return any_hung;
}

cl_int wait_for(StreamState& stream, const cl::Event& event) {
  using std::chrono::milliseconds;
  if (!has_hang_limit()) return event.wait();
  const milliseconds limit = hang_limit();
  stream.queue.flush();
  const auto latch = std::make_shared<Latch>();
  // Without a callback the event is asked, and often.
  const bool told = opens_at_end(latch, event);
  const milliseconds slice =
      std::clamp(limit / 8, milliseconds(1), told ? milliseconds(250) : milliseconds(1));
  Clock::time_point progress = Clock::now();
  std::uint64_t news = stream.device.streams.news();
  while (!latch->opens_within(slice) && (told || !has_ended(event))) {
    const std::uint64_t latest = stream.device.streams.news();
    if (latest != news) {
      news = latest;
      progress = Clock::now();
    } else if (Clock::now() - progress >= limit) {
      any_hung = true;
      stream.device.streams.lose_all();
      return device_hung;
    }
  }
  return event.wait();
}

void LaunchTrail::add(std::uint64_t sequence, const KernelState& kernel) {
  ++since_mark_;
  launches_.push_back({sequence, &kernel, false});
  constexpr std::size_t many = 1024;
  if (launches_.size() % many == 0) drop_until(marks_->ended);
}

// Some drivers run a queue as one batch and end nothing before its last command, but tell when each
// was started.
void LaunchTrail::mark(const cl::Event& event) {
  since_mark_ = 0;
  launches_.back().marked = true;
  for (const cl_int stage : {CL_SUBMITTED, CL_COMPLETE}) {
    auto told = std::make_unique<MarkedLaunch>(MarkedLaunch{marks_, launches_.back().sequence});
    if (clSetEventCallback(event(), stage, tell, told.get()) == CL_SUCCESS) {
      static_cast<void>(told.release());
    }
  }
}

void LaunchTrail::drop_until(std::uint64_t sequence) {
  while (!launches_.empty() && launches_.front().sequence <= sequence) launches_.pop_front();
}

std::string LaunchTrail::suspects() const {
  constexpr std::size_t most_names = 8;
  const std::uint64_t ended = marks_->ended, started = marks_->started;
  std::vector<std::string_view> names;
  for (const Launched& launched : launches_) {
    if (launched.sequence <= ended) continue;
    const std::string& entry = launched.kernel->entry;
    if (std::find(names.begin(), names.end(), entry) == names.end()) names.push_back(entry);
    if (launched.marked && launched.sequence >= started) break;
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most_names); ++i) {
    text += join(i == 0 ? "" : ", ", names[i]);
  }
  return names.size() > most_names ? text + ", ..." : text;
}

}  // namespace clmx
