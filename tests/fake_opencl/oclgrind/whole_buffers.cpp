// Preloaded under Oclgrind's uninitialised check, whose notes on memory go by a buffer's number:
// the notes of a freed buffer stay, with its size, for the next one of that number, and a write,
// copy or fill of a part replaces the notes on the whole. So buffers are never freed, and parts are
// written as whole buffers.
#include <dlfcn.h>

#include <cstring>
#include <vector>

#include <CL/cl.h>

namespace {

template <class Function>
Function* next(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}
#define NEXT(function) next(function, #function)

std::size_t size_of(cl_mem buffer) {
  std::size_t size = 0;
  clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof size, &size, nullptr);
  return size;
}

// Reads the buffer, changes it and writes all of it. The queue is in order, so nothing comes
// between.
template <class Change>
cl_int rewrite(cl_command_queue queue, cl_mem buffer, cl_event* done, const Change& change) {
  std::vector<char> bytes(size_of(buffer));
  cl_int status = clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, bytes.size(), bytes.data(), 0,
                                      nullptr, nullptr);
  if (status == CL_SUCCESS) status = change(bytes.data());
  if (status != CL_SUCCESS) return status;
  return NEXT(clEnqueueWriteBuffer)(queue, buffer, CL_TRUE, 0, bytes.size(), bytes.data(), 0,
                                    nullptr, done);
}

}  // namespace

cl_int clReleaseMemObject(cl_mem) {
  return CL_SUCCESS;
}

// NOLINTBEGIN(readability-function-size): OpenCL's signatures
cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool, std::size_t offset,
                            std::size_t size, const void* from, cl_uint, const cl_event*,
                            cl_event* done) {
  return rewrite(queue, buffer, done, [&](char* bytes) {
    std::memcpy(bytes + offset, from, size);
    return CL_SUCCESS;
  });
}

cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void* pattern,
                           std::size_t pattern_size, std::size_t offset, std::size_t size, cl_uint,
                           const cl_event*, cl_event* done) {
  return rewrite(queue, buffer, done, [&](char* bytes) {
    for (std::size_t at = 0; at < size; at += pattern_size)
      std::memcpy(bytes + offset + at, pattern, pattern_size);
    return CL_SUCCESS;
  });
}

cl_int clEnqueueCopyBuffer(cl_command_queue queue, cl_mem from, cl_mem to, std::size_t from_offset,
                           std::size_t to_offset, std::size_t size, cl_uint, const cl_event*,
                           cl_event* done) {
  return rewrite(queue, to, done, [&](char* bytes) {
    return clEnqueueReadBuffer(queue, from, CL_TRUE, from_offset, size, bytes + to_offset, 0,
                               nullptr, nullptr);
  });
}
// NOLINTEND(readability-function-size)
