#include "clmx/devices/buffer.hpp"

#include "cl_error.hpp"
#include "stream_state.hpp"

namespace clmx {

BufferState::~BufferState() {
  if (process_ends() || device.streams.lost(uses.all())) {
    if (kind == Kind::pooled || kind == Kind::unpooled) device.pool.forget(block);
    leave_alone(std::move(block.memory));
    leave_alone(std::move(host));
    return;
  }
  switch (kind) {
    case Kind::pooled:
      block.uses = uses.all();
      if (size > 0) device.pool.give(std::move(block));
      break;
    case Kind::unpooled:
      if (size > 0) device.pool.forget(block);
      break;
    case Kind::wrapped:
      device.pool.hold(std::move(host), std::move(block.memory), uses.all());
      break;
    case Kind::foreign:  // a window keeps what it looks into
      if (host.owner) device.pool.hold(std::move(host), std::move(block.memory), uses.all());
      break;
  }
}

Buffer Buffer::allocate(const Stream& stream, std::size_t bytes) {
  DeviceState& device = stream.state()->device;
  auto state = std::make_shared<BufferState>(device, BufferState::Kind::pooled, bytes);
  if (bytes > 0) state->block = device.pool.take(stream.state()->number, bytes);
  return Buffer(std::move(state));
}

Buffer Buffer::allocate_unpooled(const Device& device, std::size_t bytes) {
  DeviceState& owner = *device.state();
  auto state = std::make_shared<BufferState>(owner, BufferState::Kind::unpooled, bytes);
  if (bytes > 0) state->block = owner.pool.take_exact(bytes);
  return Buffer(std::move(state));
}

Buffer Buffer::wrap(const Device& device, HostBytes host) {
  DeviceState& owner = *device.state();
  const std::size_t bytes = host.bytes.size();
  require(owner.wraps_host_memory(), "Buffer::wrap", owner.info.selector,
          " cannot use host memory without a copy");
  if (bytes > owner.info.max_allocation_bytes) {
    throw OutOfMemory(join("cannot wrap ", bytes, " bytes on ", owner.info.selector,
                           ": its largest allocation is ", owner.info.max_allocation_bytes,
                           " bytes"));
  }
  auto state = std::make_shared<BufferState>(owner, BufferState::Kind::wrapped, bytes);
  if (bytes > 0) {
    // The flag asks for a non-const pointer; kernels only read it.
    auto* const memory = const_cast<std::byte*>(host.bytes.data());
    cl_int status = CL_SUCCESS;
    state->block.memory =
        cl::Buffer(owner.context(), CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR, bytes, memory, &status);
    check(status, owner.info, "clCreateBuffer");
    state->block.number = next_block_number();
  }
  state->host = std::move(host);
  return Buffer(std::move(state));
}

std::size_t Buffer::size() const {
  return state_ ? state_->size : 0;
}

Device Buffer::device() const {
  require(state_ != nullptr, "Buffer::device", "the buffer is empty");
  return Device(&state_->device);
}

}  // namespace clmx
