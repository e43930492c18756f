#pragma once

// Opt-in: the one public header that includes OpenCL's own. Who owns what: docs/memory.md.
#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 300
#endif
#include <CL/cl.h>

#include "clmx/devices/buffer.hpp"
#include "clmx/devices/stream.hpp"

namespace clmx {

/// The OpenCL objects behind the handles. They stay owned by clmx: retain them to keep them longer.
/// Work that somebody else enqueues on a stream's queue runs between clmx's, in the order of the
/// calls.
cl_device_id as_cl_device(const Device& device);
cl_context as_cl_context(const Device& device);
cl_command_queue as_cl_command_queue(const Stream& stream);
cl_mem as_cl_mem(const Buffer& buffer);

/// A buffer over memory that somebody else made in the device's context; retained while the Buffer
/// lives. Throws ArgumentError for null or another context's memory.
Buffer buffer_from_cl_mem(const Device& device, cl_mem memory);

/// clmx's device in somebody else's context, retained until the process ends; the same context
/// gives the same device. Its id and selector are those of the device in clmx's own context, but it
/// is another Device: arrays are copied between the two. Throws ArgumentError for null, a context
/// of several devices, and one whose device clmx does not use.
Device device_from_cl_context(cl_context context);

/// A stream over somebody else's in-order queue, retained while the stream lives; its commands and
/// clmx's run in the order of the calls. Launches are measured by the device only where the queue
/// was made with CL_QUEUE_PROFILING_ENABLE. Throws ArgumentError for null, an out-of-order queue,
/// and one of another context or device.
Stream stream_from_cl_command_queue(const Device& device, cl_command_queue queue);

}  // namespace clmx
