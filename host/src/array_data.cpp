#include "clmx/devices/error.hpp"
#include "clmx/host/array.hpp"
#include "storage.hpp"

namespace clmx {
namespace {

std::vector<std::int64_t> row_strides(const Shape& shape) {
  std::vector<std::int64_t> strides(static_cast<std::size_t>(shape.rank()));
  std::int64_t step = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<std::size_t>(axis)] = step;
    step *= shape[axis];
  }
  return strides;
}

HostBytes copied(const Array& array) {
  std::vector<std::byte> bytes(array.bytes());
  array.read(bytes);
  return HostBytes::own(std::move(bytes));
}

}  // namespace

ArrayData Array::as_data(DataAccess access) const {
  HostBytes bytes = access == DataAccess::copy ? copied(*this) : map_bytes();
  return {std::move(bytes), shape_, row_strides(shape_), dtype_};
}

std::optional<ArrayMemory> Array::as_cl_mem(const Device& device, bool no_copy) const {
  if (size() == 0) return std::nullopt;
  wait();
  const Stream stream = device.default_stream();
  const std::size_t begin = static_cast<std::size_t>(offset_) * size_of(dtype_);
  const std::optional<Storage::Place> place = storage_->held_on(stream, begin, bytes());
  std::optional<Buffer> buffer;
  if (!no_copy) {
    buffer = Buffer::allocate_unpooled(device, bytes());
    place ? stream.copy(place->buffer, place->at, *buffer, 0, bytes())
          : stream.write(*buffer, 0, map_bytes().bytes);
  } else if (place) {
    buffer = window_of(place->buffer, place->at, bytes());
  }
  if (!buffer) return std::nullopt;
  stream.record().wait();  // for the copy, or a replica that is still on its way
  return ArrayMemory(std::move(*buffer), bytes());
}

}  // namespace clmx
