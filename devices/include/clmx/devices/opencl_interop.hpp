#pragma once

// Opt-in: the one public header that includes OpenCL's own.
#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 300
#endif
#include <CL/cl.h>

#include "clmx/devices/buffer.hpp"
#include "clmx/devices/stream.hpp"

namespace clmx {

/// The OpenCL objects behind the handles. They stay owned by clmx: retain them to keep them longer.
cl_device_id as_cl_device(const Device& device);
cl_context as_cl_context(const Device& device);
cl_command_queue as_cl_command_queue(const Stream& stream);
cl_mem as_cl_mem(const Buffer& buffer);

/// A buffer over memory that somebody else made in the device's context; retained while the Buffer
/// lives.
Buffer buffer_from_cl_mem(const Device& device, cl_mem memory);

}  // namespace clmx
