#include "error_report.hpp"

#include <algorithm>

#include "cl_error.hpp"
#include "clmx/devices/error_word.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

// Allocating may wait for the stream, so that its mutex is not held meanwhile.
void make_word(const Stream& stream) {
  StreamState& state = *stream.state();
  const Buffer word = Buffer::allocate_unpooled(stream.device(), sizeof(ReportedIndex));
  stream.fill(word, 0, sizeof(ReportedIndex), 0);
  const std::lock_guard lock(state.mutex);
  if (!state.reports.word) state.reports.word = word;
}

}  // namespace

std::shared_ptr<ErrorReport> ErrorReports::enqueue_read(cl::CommandQueue& queue) {
  if (!pending) return nullptr;
  auto report = std::make_shared<ErrorReport>();
  report->clears = clears;
  const cl_int status = queue.enqueueReadBuffer(word.state()->block.memory, CL_FALSE, 0,
                                                sizeof(ReportedIndex), &report->seen);
  if (status != CL_SUCCESS) return nullptr;  // the data's own read will say why
  pending = false;
  return report;
}

void ErrorReports::give_up(std::shared_ptr<ErrorReport> report, std::mutex& mutex) {
  leave_alone(std::move(report));  // the driver may still write it
  const std::lock_guard lock(mutex);
  pending = true;
}

std::int32_t ErrorReports::code_of(std::string_view op) {
  auto found = std::find(ops_.begin(), ops_.end(), op);
  if (found == ops_.end()) found = ops_.emplace(ops_.end(), op);
  return static_cast<std::int32_t>(found - ops_.begin()) + 1;
}

const std::string& ErrorReports::op_of(std::int32_t code) const {
  static const std::string unknown = "kernel";
  const auto index = static_cast<std::size_t>(code) - 1;
  return index < ops_.size() ? ops_[index] : unknown;
}

void throw_if_reported(StreamState& stream, const std::shared_ptr<ErrorReport>& report) {
  if (!report || report->seen.code == 0) return;
  const ReportedIndex& seen = report->seen;
  std::string op;
  {
    const std::lock_guard lock(stream.mutex);
    if (report->clears != stream.reports.clears) return;
    stream.reports.word.state()->uses.note(stream.next_use());
    const cl_int status = stream.queue.enqueueFillBuffer(stream.reports.word.state()->block.memory,
                                                         cl_uchar{0}, 0, sizeof(ReportedIndex));
    check(status, stream.device.info, "clEnqueueFillBuffer");
    ++stream.reports.clears;
    op = stream.reports.op_of(seen.code);
  }
  throw ArgumentError(join('[', op, "] index ", seen.index, ", computed on ",
                           stream.device.info.selector, ", is not within the ", seen.count,
                           " rows"));
}

ErrorWord error_word(const Stream& stream, std::string_view op) {
  StreamState& state = *stream.state();
  bool made = false;
  {
    const std::lock_guard lock(state.mutex);
    made = static_cast<bool>(state.reports.word);
  }
  if (!made) make_word(stream);
  const std::lock_guard lock(state.mutex);
  return {{state.reports.word, 0}, state.reports.code_of(op)};
}

void look_for_errors(const Stream& stream) {
  const std::lock_guard lock(stream.state()->mutex);
  stream.state()->reports.pending = true;
}

}  // namespace clmx
