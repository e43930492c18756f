#include <algorithm>

#include "api.hpp"
#include "kernels.hpp"
#include "queue.hpp"

// NOLINTBEGIN(readability-function-size): OpenCL's signatures
namespace fake {
namespace {

/// What an enqueueing function is told besides its own arguments.
struct Around {
  cl_uint count;
  const cl_event* after;
  cl_event* event;
};

template <class Run>
cl_int enqueue(cl_command_queue queue, const char* call, cl_bool waits, const Around& around,
               Run run) {
  if (const cl_int code = fault(call)) return code;
  if (queue->lost()) return CL_OUT_OF_RESOURCES;
  if (around.event != nullptr) *around.event = new _cl_event;
  auto command = std::make_unique<Command>(
      Command{std::move(run), Ref(around.event == nullptr ? nullptr : *around.event), {}, 0});
  for (cl_uint i = 0; i < around.count; ++i) command->after.emplace_back(around.after[i]);
  queue->enqueue(std::move(command));
  return waits == CL_TRUE ? queue->finish() : CL_SUCCESS;
}

cl_int enqueue_read(cl_command_queue queue, cl_mem memory, cl_bool waits, std::size_t offset,
                    std::size_t bytes, void* to, cl_uint count, const cl_event* after,
                    cl_event* event) {
  const auto run = [from = Ref(memory), offset, bytes, to] {
    std::memcpy(to, from->data + offset, bytes);
  };
  return enqueue(queue, "clEnqueueReadBuffer", waits, {count, after, event}, run);
}

cl_int enqueue_write(cl_command_queue queue, cl_mem memory, cl_bool waits, std::size_t offset,
                     std::size_t bytes, const void* from, cl_uint count, const cl_event* after,
                     cl_event* event) {
  const auto run = [to = Ref(memory), offset, bytes, from] {
    std::memcpy(to->data + offset, from, bytes);
  };
  return enqueue(queue, "clEnqueueWriteBuffer", waits, {count, after, event}, run);
}

cl_int enqueue_copy(cl_command_queue queue, cl_mem from, cl_mem to, std::size_t from_offset,
                    std::size_t to_offset, std::size_t bytes, cl_uint count, const cl_event* after,
                    cl_event* event) {
  const auto run = [source = Ref(from), target = Ref(to), from_offset, to_offset, bytes] {
    std::memcpy(target->data + to_offset, source->data + from_offset, bytes);
  };
  return enqueue(queue, "clEnqueueCopyBuffer", CL_FALSE, {count, after, event}, run);
}

cl_int enqueue_fill(cl_command_queue queue, cl_mem memory, const void* pattern,
                    std::size_t pattern_bytes, std::size_t offset, std::size_t bytes, cl_uint count,
                    const cl_event* after, cl_event* event) {
  const auto* const first = static_cast<const std::byte*>(pattern);
  const auto run = [to = Ref(memory), one = std::vector(first, first + pattern_bytes), offset,
                    bytes] {
    for (std::size_t i = 0; i < bytes; ++i) to->data[offset + i] = one[i % one.size()];
  };
  return enqueue(queue, "clEnqueueFillBuffer", CL_FALSE, {count, after, event}, run);
}

void* enqueue_map(cl_command_queue queue, cl_mem memory, cl_bool waits, cl_map_flags,
                  std::size_t offset, std::size_t, cl_uint count, const cl_event* after,
                  cl_event* event, cl_int* status) {
  const cl_int code =
      enqueue(queue, "clEnqueueMapBuffer", waits, {count, after, event}, [held = Ref(memory)] {});
  if (status != nullptr) *status = code;
  return code == CL_SUCCESS ? memory->data + offset : nullptr;
}

cl_int enqueue_unmap(cl_command_queue queue, cl_mem memory, void*, cl_uint count,
                     const cl_event* after, cl_event* event) {
  return enqueue(queue, "clEnqueueUnmapMemObject", CL_FALSE, {count, after, event},
                 [held = Ref(memory)] {});
}

cl_int enqueue_kernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                      const std::size_t*, const std::size_t* global, const std::size_t* local,
                      cl_uint count, const cl_event* after, cl_event* event) {
  Call call;
  std::copy_n(global, dimensions, call.global.begin());
  if (local != nullptr) std::copy_n(local, dimensions, call.local.begin());
  call.options = kernel->program->options;
  for (const Argument& argument : kernel->arguments) {
    cl_mem memory = nullptr;
    std::memcpy(static_cast<void*>(&memory), argument.bytes.data(), sizeof(cl_mem));
    const std::size_t index = call.arguments.size();
    call.arguments.push_back(
        {Ref(is_buffer(*kernel->function, index) ? memory : nullptr), argument.bytes});
  }
  const auto run = [call = std::move(call), function = kernel->function] { function->run(call); };
  return enqueue(queue, "clEnqueueNDRangeKernel", CL_FALSE, {count, after, event}, run);
}

cl_int enqueue_marker(cl_command_queue queue, cl_uint count, const cl_event* after,
                      cl_event* event) {
  return enqueue(queue, "clEnqueueMarkerWithWaitList", CL_FALSE, {count, after, event}, [] {});
}

cl_int enqueue_barrier(cl_command_queue queue, cl_uint count, const cl_event* after,
                       cl_event* event) {
  return enqueue(queue, "clEnqueueBarrierWithWaitList", CL_FALSE, {count, after, event}, [] {});
}

cl_int flush(cl_command_queue) {
  return fault("clFlush");
}

cl_int finish(cl_command_queue queue) {
  const cl_int code = fault("clFinish");
  return code == CL_SUCCESS ? queue->finish() : code;
}

}  // namespace

void add_queue_functions(cl_icd_dispatch& table) {
  table.clFlush = flush;
  table.clFinish = finish;
  table.clEnqueueReadBuffer = enqueue_read;
  table.clEnqueueWriteBuffer = enqueue_write;
  table.clEnqueueCopyBuffer = enqueue_copy;
  table.clEnqueueFillBuffer = enqueue_fill;
  table.clEnqueueMapBuffer = enqueue_map;
  table.clEnqueueUnmapMemObject = enqueue_unmap;
  table.clEnqueueNDRangeKernel = enqueue_kernel;
  table.clEnqueueMarkerWithWaitList = enqueue_marker;
  table.clEnqueueBarrierWithWaitList = enqueue_barrier;
}

}  // namespace fake
// NOLINTEND(readability-function-size)
