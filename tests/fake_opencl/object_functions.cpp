#include <memory>
#include <new>

#include "api.hpp"
#include "kernels.hpp"
#include "queue.hpp"

// NOLINTBEGIN(readability-function-size): OpenCL's signatures
namespace fake {
namespace {

cl_context create_context(const cl_context_properties*, cl_uint, const cl_device_id* devices,
                          void (*)(const char*, const void*, std::size_t, void*), void*,
                          cl_int* status) {
  return create("clCreateContext", status, [&] { return new _cl_context(devices[0]); });
}

cl_command_queue create_queue(cl_context context, cl_device_id,
                              cl_command_queue_properties properties, cl_int* status) {
  if (context->device->misbehaviour.gone.load(std::memory_order_relaxed)) {
    if (status != nullptr) *status = CL_DEVICE_NOT_AVAILABLE;
    return nullptr;
  }
  return create("clCreateCommandQueue", status,
                [&] { return new _cl_command_queue(context, properties); });
}

cl_int release_queue(cl_command_queue queue) {
  return release(queue);
}

cl_mem create_buffer(cl_context, cl_mem_flags flags, std::size_t bytes, void* host,
                     cl_int* status) {
  return create("clCreateBuffer", status, [&]() -> cl_mem {
    const bool uses = (flags & CL_MEM_USE_HOST_PTR) != 0;
    auto* const memory = new _cl_mem(bytes, uses ? host : nullptr);
    if ((flags & CL_MEM_COPY_HOST_PTR) != 0) std::memcpy(memory->data, host, bytes);
    return memory;
  });
}

cl_int get_memory_info(cl_mem memory, cl_mem_info name, std::size_t room, void* to,
                       std::size_t* size) {
  if (const cl_int code = fault("clGetMemObjectInfo")) return code;
  return name == CL_MEM_SIZE ? answer(memory->bytes, room, to, size) : CL_INVALID_VALUE;
}

cl_int get_event_info(cl_event event, cl_event_info name, std::size_t room, void* to,
                      std::size_t* size) {
  if (const cl_int code = fault("clGetEventInfo")) return code;
  if (name != CL_EVENT_COMMAND_EXECUTION_STATUS) return CL_INVALID_VALUE;
  return answer(event->status.load(std::memory_order_acquire), room, to, size);
}

cl_int get_event_times(cl_event event, cl_profiling_info name, std::size_t room, void* to,
                       std::size_t* size) {
  if (const cl_int code = fault("clGetEventProfilingInfo")) return code;
  if (event->status.load(std::memory_order_acquire) != CL_COMPLETE) {
    return CL_PROFILING_INFO_NOT_AVAILABLE;
  }
  switch (name) {
    case CL_PROFILING_COMMAND_QUEUED:
    case CL_PROFILING_COMMAND_SUBMIT:
      return answer(event->queued, room, to, size);
    case CL_PROFILING_COMMAND_START:
      return answer(event->start, room, to, size);
    case CL_PROFILING_COMMAND_END:
      return answer(event->end, room, to, size);
    default:
      return CL_INVALID_VALUE;
  }
}

cl_int wait_for_events(cl_uint count, const cl_event* events) {
  if (const cl_int code = fault("clWaitForEvents")) return code;
  cl_int result = CL_SUCCESS;
  for (cl_uint i = 0; i < count; ++i) {
    wait_until([&] { return events[i]->status.load(std::memory_order_acquire) <= CL_COMPLETE; });
    if (events[i]->status < 0) result = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
  }
  return result;
}

cl_int set_event_callback(cl_event event, cl_int stage,
                          void(CL_CALLBACK* call)(cl_event, cl_int, void*), void* data) {
  if (const cl_int code = fault("clSetEventCallback")) return code;
  return event->add({stage, call, data}) ? CL_SUCCESS : CL_OUT_OF_RESOURCES;
}

}  // namespace

void add_object_functions(cl_icd_dispatch& table) {
  table.clCreateContext = create_context;
  table.clRetainContext = [](cl_context object) { return retain(object); };
  table.clReleaseContext = [](cl_context object) { return release(object); };
  table.clRetainDevice = [](cl_device_id) { return CL_SUCCESS; };
  table.clReleaseDevice = [](cl_device_id) { return CL_SUCCESS; };
  table.clCreateCommandQueue = create_queue;
  table.clRetainCommandQueue = [](cl_command_queue object) { return retain(object); };
  table.clReleaseCommandQueue = release_queue;
  table.clCreateBuffer = create_buffer;
  table.clRetainMemObject = [](cl_mem object) { return retain(object); };
  table.clReleaseMemObject = [](cl_mem object) { return release(object); };
  table.clGetMemObjectInfo = get_memory_info;
  table.clRetainEvent = [](cl_event object) { return retain(object); };
  table.clReleaseEvent = [](cl_event object) { return release(object); };
  table.clGetEventInfo = get_event_info;
  table.clGetEventProfilingInfo = get_event_times;
  table.clWaitForEvents = wait_for_events;
  table.clSetEventCallback = set_event_callback;
}

}  // namespace fake
// NOLINTEND(readability-function-size)
