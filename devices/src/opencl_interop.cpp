#include "opencl.hpp"

#include "clmx/devices/opencl_interop.hpp"

#include "cl_error.hpp"
#include "stream_state.hpp"

namespace clmx {

cl_device_id as_cl_device(const Device& device) {
  return device.state()->device();
}

cl_context as_cl_context(const Device& device) {
  return device.state()->context()();
}

cl_command_queue as_cl_command_queue(const Stream& stream) {
  return stream.state()->queue();
}

cl_mem as_cl_mem(const Buffer& buffer) {
  return buffer ? buffer.state()->block.memory() : nullptr;
}

Buffer buffer_from_cl_mem(const Device& device, cl_mem memory) {
  DeviceState& owner = *device.state();
  require(memory != nullptr, "buffer_from_cl_mem", "the memory object is null");
  cl::Buffer held(memory, true);
  cl::Context context;
  std::size_t bytes = 0;
  check(held.getInfo(CL_MEM_SIZE, &bytes), owner.info, "clGetMemObjectInfo");
  check(held.getInfo(CL_MEM_CONTEXT, &context), owner.info, "clGetMemObjectInfo");
  require(context() == owner.context()(), "buffer_from_cl_mem",
          "the memory object belongs to another context than that of ", owner.info.selector);
  auto state = std::make_shared<BufferState>(owner, BufferState::Kind::foreign, bytes);
  state->block.memory = std::move(held);
  state->block.number = next_block_number();
  return Buffer(std::move(state));
}

}  // namespace clmx
