#pragma once

#include <cstddef>
#include <optional>

#include "clmx/devices/buffer.hpp"

// OpenCL's cl_mem is a pointer to it; declared here so that no public header needs OpenCL's.
struct _cl_mem;  // NOLINT(bugprone-reserved-identifier)

namespace clmx {

/// The cl_mem behind a buffer, owned by it; null for an empty or zero-sized one.
_cl_mem* memory_object(const Buffer& buffer);

/// The bytes [offset, offset + bytes) of a buffer as a buffer of their own that shares the memory
/// and keeps it alive: the buffer itself from offset 0 on, else an OpenCL sub-buffer. Nothing where
/// the device cannot begin one there (CL_DEVICE_MEM_BASE_ADDR_ALIGN, or `buffer` is a sub-buffer
/// already). Throws ArgumentError when the bytes are not within the buffer.
std::optional<Buffer> window_of(const Buffer& buffer, std::size_t offset, std::size_t bytes);

}  // namespace clmx
