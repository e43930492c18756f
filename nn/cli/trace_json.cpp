#include "trace_json.hpp"

#include <map>

#include "json_output.hpp"

namespace clmx::cli {
namespace {

/// Microseconds with the nanoseconds as decimals: exact, as a double would not be.
class Microseconds {
 public:
  explicit Microseconds(std::int64_t nanoseconds) : nanoseconds_(nanoseconds) {}
  std::string text() const {
    const std::string decimals = std::to_string(1000 + nanoseconds_ % 1000).substr(1);
    return std::to_string(nanoseconds_ / 1000) + '.' + decimals;
  }

 private:
  std::int64_t nanoseconds_;
};

class Writer {
 public:
  Writer(const Trace& trace, const std::function<void(std::string_view)>& write)
      : trace_(trace), write_(write) {
    for (const TraceTrack& track : trace.tracks) {
      processes_.emplace(track.device, processes_.size());
    }
  }
  void write() {
    write_(R"({"displayTimeUnit":"ms","otherData":)" +
           Json{{"dropped", trace_.dropped}, {"unfinished", trace_.unfinished}}.dump() +
           ",\"traceEvents\":[");
    for (const auto& [device, process] : processes_) {
      name("process_name", process, 0, device.empty() ? "host" : device);
    }
    for (std::uint32_t i = 0; i < trace_.tracks.size(); ++i) {
      name("thread_name", process_of(i), i, trace_.tracks[i].name);
    }
    for (const TraceEvent& event : trace_.events) add(event);
    write_("\n]}\n");
  }

 private:
  std::size_t process_of(std::uint32_t track) const {
    return processes_.at(trace_.tracks[track].device);
  }
  void put(const std::string& entry) {
    write_((first_ ? "\n" : ",\n") + entry);
    first_ = false;
  }
  void name(const char* what, std::size_t process, std::uint32_t track, const std::string& text) {
    put(Json{
        {"ph", "M"}, {"name", what}, {"pid", process}, {"tid", track}, {"args", {{"name", text}}}}
            .dump());
  }
  std::string head(const char* phase, std::string_view title, std::string_view category,
                   std::uint32_t track) const {
    return std::string(R"({"ph":")") + phase + R"(","name":)" +
           Json(title).dump(-1, ' ', false, Json::error_handler_t::replace) + R"(,"cat":")" +
           std::string(category) + R"(","pid":)" + std::to_string(process_of(track)) +
           R"(,"tid":)" + std::to_string(track);
  }
  static std::string span(std::int64_t start, std::int64_t end) {
    return ",\"ts\":" + Microseconds(start).text() + ",\"dur\":" + Microseconds(end - start).text();
  }
  static Json arguments(const TraceEvent& event) {
    Json arguments = Json::object();
    if (event.kind == TraceKind::launch) {
      arguments["global"] = event.grid.global;
      arguments["local"] = event.grid.local;
    }
    if (event.bytes > 0) arguments["bytes"] = event.bytes;
    if (event.host_clock) arguments["host_clock"] = true;
    return arguments;
  }
  void add(const TraceEvent& event) {
    const std::string_view category = to_string(event.kind);
    put(head("X", event.name, category, event.track) + span(event.start_ns, event.end_ns) +
        ",\"args\":" + arguments(event).dump() + '}');
    if (!event.of_stream()) return;
    put(head("X", event.name, "enqueue", event.host_track) +
        span(event.enqueue_start_ns, event.enqueue_end_ns) + '}');
    const std::string id = ",\"id\":" + std::to_string(++arrows_);
    put(head("s", "enqueue", "enqueue", event.host_track) + id +
        ",\"ts\":" + Microseconds(event.enqueue_start_ns).text() + '}');
    put(head("f", "enqueue", "enqueue", event.track) + id +
        ",\"bp\":\"e\",\"ts\":" + Microseconds(event.start_ns).text() + '}');
  }

  const Trace& trace_;
  const std::function<void(std::string_view)>& write_;
  std::map<std::string, std::size_t> processes_;  // by device
  std::uint64_t arrows_ = 0;
  bool first_ = true;
};

}  // namespace

void write_trace_json(const Trace& trace, const std::function<void(std::string_view)>& write) {
  Writer(trace, write).write();
}

}  // namespace clmx::cli
