#pragma once

#include <cstdint>
#include <vector>

#include "clmx/devices/buffer.hpp"
#include "clmx/devices/memory.hpp"
#include "clmx/devices/memory_object.hpp"
#include "clmx/host/dtype.hpp"
#include "clmx/host/shape.hpp"

namespace clmx {

/// How Array::as_data hands out bytes. Every array is row-contiguous, so the last two, which
/// mlx-swift tells apart, are the same here.
enum class DataAccess {
  copy,                   ///< bytes of their own
  no_copy_if_contiguous,  ///< as no_copy
  no_copy                 ///< the array's own, never to be written to. A device without unified
                          ///< memory copies nevertheless: its bytes are not in the host's reach
};

/// Bytes of an array with what one needs to read them. They stay valid for as long as this object
/// or a copy of it, whatever becomes of the array.
struct ArrayData {
  HostBytes bytes;
  Shape shape;
  std::vector<std::int64_t> strides;  ///< in elements, one per axis: the last is 1
  DType dtype = DType::f32;
};

/// An array's elements in OpenCL memory, from the first byte on. Keeps the memory while it lives;
/// keep it until the commands that use get() are complete.
class ArrayMemory {
 public:
  ArrayMemory(Buffer buffer, std::size_t bytes) : buffer_(std::move(buffer)), bytes_(bytes) {}
  _cl_mem* get() const { return memory_object(buffer_); }  ///< a cl_mem; owned by this object
  std::size_t bytes() const { return bytes_; }             ///< of the array's elements
  const Buffer& buffer() const { return buffer_; }         ///< for Stream::launch and the like

 private:
  Buffer buffer_;
  std::size_t bytes_;
};

}  // namespace clmx
