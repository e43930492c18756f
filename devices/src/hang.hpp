#pragma once

#include <atomic>
#include <deque>
#include <string>

#include "kernel_state.hpp"
#include "opencl.hpp"

namespace clmx {

struct StreamState;

/// Whether waits give up some time: launches are then trailed.
bool has_hang_limit();

/// What a wait returns when it gave up; no code of OpenCL's.
constexpr cl_int device_hung = -100000;

/// How far a stream's marked launches have come, told by callbacks: asking a running command's
/// event may block until it has ended.
struct Marks {
  std::atomic<std::uint64_t> news{0};               ///< how often one was started or ended
  std::atomic<std::uint64_t> started{0}, ended{0};  ///< sequence numbers
};

/// The launches of one stream that may not have ended, some of them marked: by these a wait tells a
/// long queue from a device that does nothing. Kept only while a hang limit is set. Guarded by the
/// stream's mutex, apart from news().
class LaunchTrail {
 public:
  /// Whether the next launch should be marked.
  bool wants_mark() const { return since_mark_ + 1 >= launches_per_mark; }
  void add(std::uint64_t sequence, const KernelState& kernel);
  /// The launch last added has this event.
  void mark(const cl::Event& event);
  /// The commands up to this one are done.
  void drop_until(std::uint64_t sequence);
  /// Changes when a marked launch has started or ended.
  std::uint64_t news() const { return marks_->news; }
  /// The kernels of which the first unfinished is one, oldest first; empty without launches.
  std::string suspects() const;

 private:
  static constexpr int launches_per_mark = 16;
  struct Launched {
    std::uint64_t sequence;
    const KernelState* kernel;
    bool marked;
  };
  std::deque<Launched> launches_;
  int since_mark_ = launches_per_mark;
  std::shared_ptr<Marks> marks_ = std::make_shared<Marks>();
};

/// Waits until the event's command has ended: CL_SUCCESS, or the status of what failed.
/// device_hung, after marking every stream of the device dead, when the device shows no progress
/// for the hang limit. Takes no lock while it waits.
cl_int wait_for(StreamState& stream, const cl::Event& event);

}  // namespace clmx
