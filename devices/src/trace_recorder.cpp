#include "trace_recorder.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "clmx/devices/error.hpp"
#include "device_state.hpp"
#include "stream_trace.hpp"

namespace clmx {
namespace {

constexpr std::size_t most_events = std::size_t{1} << 21;

std::atomic<bool> recording{false};

}  // namespace

TraceRecorder& TraceRecorder::instance() {
  static auto* const recorder = new TraceRecorder;
  return *recorder;
}

std::int64_t TraceRecorder::now() const {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin_).count();
}

std::uint32_t TraceRecorder::new_track(std::string device, std::string name) {
  const std::lock_guard lock(mutex_);
  trace_.tracks.push_back({std::move(device), std::move(name)});
  return static_cast<std::uint32_t>(trace_.tracks.size() - 1);
}

std::uint32_t TraceRecorder::host_track() {
  thread_local const std::uint32_t track = [this] {
    const std::lock_guard lock(mutex_);
    trace_.tracks.push_back({{}, clmx::join("thread ", threads_++)});
    return static_cast<std::uint32_t>(trace_.tracks.size() - 1);
  }();
  return track;
}

std::string_view TraceRecorder::keep(std::string_view text) {
  const std::lock_guard lock(mutex_);
  const auto found = texts_.find(text);
  return found != texts_.end() ? *found : *texts_.emplace(text).first;
}

void TraceRecorder::add(const TraceEvent& event) {
  const std::lock_guard lock(mutex_);
  if (trace_.events.size() < most_events) {
    trace_.events.push_back(event);
  } else {
    ++trace_.dropped;
  }
}

void TraceRecorder::add_unfinished(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  trace_.unfinished += count;
}

void TraceRecorder::join(const std::shared_ptr<StreamTrace>& stream) {
  const std::lock_guard lock(mutex_);
  std::erase_if(streams_, [](const auto& known) { return known.expired(); });
  streams_.push_back(stream);
}

std::vector<std::shared_ptr<StreamTrace>> TraceRecorder::streams() {
  std::vector<std::shared_ptr<StreamTrace>> alive;
  const std::lock_guard lock(mutex_);
  for (const auto& known : streams_) {
    if (auto stream = known.lock()) alive.push_back(std::move(stream));
  }
  return alive;
}

Trace TraceRecorder::take() {
  Trace taken;
  {
    const std::lock_guard lock(mutex_);
    taken.tracks = trace_.tracks;
    std::swap(taken, trace_);
    trace_.tracks = taken.tracks;
  }
  std::ranges::sort(taken.events, {}, [](const TraceEvent& event) {
    const std::int64_t end_order = event.of_stream() ? event.end_ns : -event.end_ns;
    return std::make_tuple(event.track, event.start_ns, end_order);
  });
  return taken;
}

std::string_view to_string(TraceKind kind) {
  constexpr std::array<std::string_view, 10> names = {
      "launch", "upload", "download", "copy", "fill", "map", "compile", "load", "save", "host"};
  return names[static_cast<std::size_t>(kind)];
}

bool tracing() {
  return recording.load(std::memory_order_relaxed);
}

void start_trace() {
  TraceRecorder::instance().host_track();  // the first thread is the one that starts
  recording = true;
}

Trace take_trace(TraceEnd end) {
  TraceRecorder& recorder = TraceRecorder::instance();
  if (end == TraceEnd::complete) {
    for (const auto& device : devices().states) {
      device->streams.finish_all();
      device->kernels.save_binaries();
    }
  }
  for (const auto& stream : recorder.streams()) recorder.add_unfinished(stream->collect());
  return recorder.take();
}

void TraceScope::begin(std::string_view name, TraceKind kind) {
  TraceRecorder& recorder = TraceRecorder::instance();
  name_ = recorder.keep(name);
  kind_ = kind;
  started_ = true;
  start_ns_ = recorder.now();
}

void TraceScope::end() const noexcept {
  TraceRecorder& recorder = TraceRecorder::instance();
  TraceEvent event{.kind = kind_, .name = name_, .track = recorder.host_track(), .grid = {}};
  event.start_ns = start_ns_;
  event.end_ns = recorder.now();
  recorder.add(event);
}

}  // namespace clmx
