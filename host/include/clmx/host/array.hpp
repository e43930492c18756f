#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "clmx/devices/buffer.hpp"
#include "clmx/devices/memory.hpp"
#include "clmx/host/array_data.hpp"
#include "clmx/host/dtype.hpp"
#include "clmx/host/shape.hpp"
#include "clmx/host/stream_or_device.hpp"

namespace clmx {

class Storage;

/// Elements mapped for reading by the host; no copy where the device's memory is unified.
template <Element T>
class HostView {
 public:
  explicit HostView(HostBytes held) : held_(std::move(held)) {}
  const T* begin() const { return reinterpret_cast<const T*>(held_.bytes.data()); }
  const T* end() const { return begin() + size(); }
  std::size_t size() const { return held_.bytes.size() / sizeof(T); }
  const T& operator[](std::size_t i) const { return begin()[i]; }

 private:
  HostBytes held_;
};

/// An immutable, row-contiguous array: a shape, a dtype, an offset and a shared Storage, which
/// holds one replica per device that used it. A value: copies share the storage. Any thread may use
/// it.
///
/// What waits for the device's bytes (item, to_vector, map, read, to, and on for another device)
/// throws DeviceError if the device failed before they were there, and ArgumentError for an index
/// out of range that the device computed earlier in the writing stream, once (see Stream).
class Array {
 public:
  /// Empty: shape {0}, f32. For members that are set later.
  Array();
  /// A rank-0 f32 array, without a device until one uses it.
  explicit Array(float scalar);
  /// Copies the values. Throws ArgumentError when their number is not shape.elements().
  template <Element T>
  static Array from(std::span<const T> values, const Shape& shape) {
    return from_bytes(std::as_bytes(values), shape, DTypeOf<T>::value);
  }
  template <Element T>
  static Array from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  static Array from_bytes(std::span<const std::byte> bytes, const Shape& shape, DType dtype);
  /// Undefined contents on the stream's device, for an op to write.
  static Array empty(const Shape& shape, DType dtype, const Stream& stream);
  /// Host bytes, kept alive and, on devices that can, used without a copy. Throws ArgumentError
  /// when the sizes differ or the bytes are not aligned to the element.
  static Array wrap(HostBytes bytes, const Shape& shape, DType dtype);
  /// A buffer written by work already enqueued on `stream`.
  static Array wrap(const Buffer& buffer, const Shape& shape, DType dtype, const Stream& stream);

  const Shape& shape() const { return shape_; }
  /// Negative axes count from the end.
  std::int64_t shape(int axis) const { return shape_[axis]; }
  int rank() const { return shape_.rank(); }
  std::int64_t size() const { return shape_.elements(); }
  DType dtype() const { return dtype_; }
  std::size_t bytes() const { return static_cast<std::size_t>(size()) * size_of(dtype_); }

  /// A view with the same elements. Throws ArgumentError when their number differs.
  Array reshape(const Shape& shape) const;
  /// A view of [begin, end) along axis 0.
  Array rows(std::int64_t begin, std::int64_t end) const;
  /// The same values, held on that device (copied there now unless they are; asked for like this,
  /// also under CLMX_TRANSFERS=deny).
  Array to(const Device& device) const;
  /// The same values for work on the stream, held there while the result lives: a copy made for it
  /// is not kept for others. Unless asked for, an error under CLMX_TRANSFERS=deny where it comes
  /// from another device.
  Array once_on(const Stream& stream, bool asked) const;

  bool ready() const;  ///< whether reading would not wait for a device
  /// Throws what failed in producing it.
  void wait() const;
  /// The only element. Throws ArgumentError unless size is 1 and T is the dtype.
  template <Element T>
  T item() const {
    T value;
    read_one(&value, DTypeOf<T>::value);
    return value;
  }
  /// All elements. Throws ArgumentError unless T is the dtype.
  template <Element T>
  std::vector<T> to_vector() const {
    check_dtype(DTypeOf<T>::value, "to_vector");
    std::vector<T> values(static_cast<std::size_t>(size()));
    read(std::as_writable_bytes(std::span<T>(values)));
    return values;
  }
  /// All elements as T, as mlx-swift's asArray gives them. Of another dtype they are converted by
  /// the host as by cast: floats round to nearest even; float to integer truncates and saturates,
  /// NaN gives 0; integer to integer keeps the low bits.
  template <Element T>
  std::vector<T> as_array() const {
    if (dtype_ == DTypeOf<T>::value) return to_vector<T>();
    std::vector<T> values(static_cast<std::size_t>(size()));
    convert(std::as_writable_bytes(std::span<T>(values)), DTypeOf<T>::value);
    return values;
  }
  template <Element T>
  HostView<T> map() const {
    check_dtype(DTypeOf<T>::value, "map");
    return HostView<T>(map_bytes());
  }
  /// The raw bytes into `to`, whose size must be bytes(). Waits.
  void read(std::span<std::byte> to) const;
  HostBytes map_bytes() const;
  /// Bytes, shape, strides and dtype, for libraries that know nothing of clmx. Waits. What they are
  /// and how long they live: DataAccess and docs/memory.md.
  ArrayData as_data(DataAccess access = DataAccess::copy) const;
  /// The elements in a cl_mem of the device's context, from its first byte on, all written. Waits.
  /// A copy of exactly bytes() bytes; with no_copy the memory that the array itself uses there,
  /// never to be written to, which may be larger. Empty where that is impossible: no elements, or
  /// with no_copy when the device does not hold them and cannot use the host's memory, or when a
  /// view begins where the device can begin no buffer.
  std::optional<ArrayMemory> as_cl_mem(const Device& device, bool no_copy = false) const;

  /// The replica on the stream's device as a kernel argument, after making the stream wait for its
  /// writer. Copies it there first when needed (an error under CLMX_TRANSFERS=deny if it was
  /// written on another device).
  BufferArgument on(const Stream& stream) const;
  /// Where the data lives first: the device that wrote it, if any.
  std::optional<Device> home() const;
  /// Identity of the shared storage, for taps and caches.
  const Storage* storage() const { return storage_.get(); }
  std::int64_t offset() const { return offset_; }  ///< in elements

 private:
  Array(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype, std::int64_t offset);
  void check_dtype(DType wanted, const char* op) const;
  void read_one(void* value, DType wanted) const;
  void convert(std::span<std::byte> to, DType wanted) const;

  std::shared_ptr<Storage> storage_;
  Shape shape_;
  DType dtype_ = DType::f32;
  std::int64_t offset_ = 0;
};

}  // namespace clmx
