#include "clmx/host/array.hpp"

#include <cstdint>

#include "clmx/devices/error.hpp"
#include "storage.hpp"

namespace clmx {
namespace {

std::size_t bytes_of(const Shape& shape, DType dtype) {
  return static_cast<std::size_t>(shape.elements()) * size_of(dtype);
}

}  // namespace

Array::Array(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype, std::int64_t offset)
    : storage_(std::move(storage)), shape_(shape), dtype_(dtype), offset_(offset) {}

Array::Array() : Array(nullptr, Shape{0}, DType::f32, 0) {
  static const auto nothing = std::make_shared<Storage>(HostBytes{});
  storage_ = nothing;
}

Array::Array(float scalar)
    : Array(std::make_shared<Storage>(HostBytes::own(std::vector<float>{scalar})), Shape{},
            DType::f32, 0) {}

Array Array::from_bytes(std::span<const std::byte> bytes, const Shape& shape, DType dtype) {
  require(bytes.size() == bytes_of(shape, dtype), "array", "shape ", shape, " of ", dtype,
          " needs ", bytes_of(shape, dtype), " bytes, ", bytes.size(), " were given");
  return wrap(HostBytes::own(std::vector<std::byte>(bytes.begin(), bytes.end())), shape, dtype);
}

Array Array::empty(const Shape& shape, DType dtype, const Stream& stream) {
  const Buffer buffer = Buffer::allocate(stream, bytes_of(shape, dtype));
  return {std::make_shared<Storage>(buffer, stream), shape, dtype, 0};
}

Array Array::wrap(HostBytes bytes, const Shape& shape, DType dtype) {
  require(bytes.bytes.size() == bytes_of(shape, dtype), "array", "shape ", shape, " of ", dtype,
          " needs ", bytes_of(shape, dtype), " bytes, ", bytes.bytes.size(), " were given");
  require(reinterpret_cast<std::uintptr_t>(bytes.bytes.data()) % size_of(dtype) == 0, "array",
          "the bytes of a ", dtype, " array must be aligned to ", size_of(dtype));
  return {std::make_shared<Storage>(std::move(bytes)), shape, dtype, 0};
}

Array Array::wrap(const Buffer& buffer, const Shape& shape, DType dtype, const Stream& stream) {
  require(buffer.size() >= bytes_of(shape, dtype), "array", "shape ", shape, " of ", dtype,
          " needs ", bytes_of(shape, dtype), " bytes, the buffer has ", buffer.size());
  return {std::make_shared<Storage>(buffer, stream), shape, dtype, 0};
}

Array Array::reshape(const Shape& shape) const {
  require(shape.elements() == size(), "reshape", "shape ", shape_, " has ", size(), " elements, ",
          shape, " has ", shape.elements());
  return {storage_, shape, dtype_, offset_};
}

Array Array::rows(std::int64_t begin, std::int64_t end) const {
  require(rank() >= 1, "rows", "a scalar has no rows");
  require(0 <= begin && begin <= end && end <= shape(0), "rows", "[", begin, ", ", end,
          ") is not within the ", shape(0), " rows");
  return {storage_, shape_.with(0, end - begin), dtype_,
          offset_ + begin * shape_.elements(1, rank())};
}

Array Array::to(const Device& device) const {
  const Stream stream = device.default_stream();
  const std::size_t element = size_of(dtype_);
  const Storage::Place place = storage_->on(stream, static_cast<std::size_t>(offset_) * element,
                                            bytes(), Storage::Asked::explicitly);
  return {std::make_shared<Storage>(place.buffer, stream), shape_, dtype_,
          static_cast<std::int64_t>(place.at / element)};
}

Array Array::once_on(const Stream& stream, bool asked) const {
  const std::size_t element = size_of(dtype_);
  const Storage::Place place =
      storage_->once_on(stream, static_cast<std::size_t>(offset_) * element, bytes(),
                        asked ? Storage::Asked::explicitly : Storage::Asked::by_use);
  return {std::make_shared<Storage>(place.buffer, stream), shape_, dtype_,
          static_cast<std::int64_t>(place.at / element)};
}

bool Array::ready() const {
  return storage_->ready();
}
void Array::wait() const {
  storage_->wait();
}
std::optional<Device> Array::home() const {
  return storage_->home();
}

void Array::read(std::span<std::byte> to) const {
  require(to.size() == bytes(), "read", "the array has ", bytes(), " bytes, room was given for ",
          to.size());
  storage_->read(static_cast<std::size_t>(offset_) * size_of(dtype_), to);
}

HostBytes Array::map_bytes() const {
  return storage_->map(static_cast<std::size_t>(offset_) * size_of(dtype_), bytes(), storage_);
}

BufferArgument Array::on(const Stream& stream) const {
  const std::size_t element = size_of(dtype_);
  const Storage::Place place =
      storage_->on(stream, static_cast<std::size_t>(offset_) * element, bytes());
  return {place.buffer, place.at / element};
}

void Array::check_dtype(DType wanted, const char* op) const {
  require(wanted == dtype_, op, "the array holds ", dtype_, ", not ", wanted);
}

void Array::read_one(void* value, DType wanted) const {
  check_dtype(wanted, "item");
  require(size() == 1, "item", "the array has ", size(), " elements, not one");
  read({static_cast<std::byte*>(value), size_of(wanted)});
}

}  // namespace clmx
