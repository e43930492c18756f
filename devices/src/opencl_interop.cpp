#include "opencl.hpp"

#include "clmx/devices/opencl_interop.hpp"

#include <map>

#include "cl_error.hpp"
#include "clmx/devices/memory_object.hpp"
#include "foreign_devices.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

/// The devices in somebody else's contexts. Never destroyed, as devices are.
struct ForeignDevices {
  std::mutex mutex;
  std::map<cl_context, std::unique_ptr<DeviceState>> states;
};

ForeignDevices& foreign_devices() {
  static auto* const made = new ForeignDevices;
  return *made;
}

DeviceState* state_in(cl_context context) {
  for (DeviceState* const state : all_device_states()) {
    if (state->has_context() && state->context()() == context) return state;
  }
  return nullptr;
}

DeviceState* state_of(cl_device_id device) {
  for (DeviceState* const state : all_device_states()) {
    if (state->device() == device) return state;
  }
  return nullptr;
}

cl_device_id only_device_of(const cl::Context& context) {
  constexpr const char* op = "device_from_cl_context";
  std::vector<cl::Device> devices;
  const cl_int status = context.getInfo(CL_CONTEXT_DEVICES, &devices);
  require(status == CL_SUCCESS, op,
          "the context does not tell its devices: ", describe_code(status));
  require(devices.size() == 1, op, "the context has ", devices.size(), " devices, one is wanted");
  return devices.front()();
}

template <class Value>
Value info_of(const cl::CommandQueue& queue, cl_command_queue_info name, const DeviceState& owner) {
  Value value{};
  check(queue.getInfo(name, &value), owner.info, "clGetCommandQueueInfo");
  return value;
}

Buffer foreign_buffer(DeviceState& owner, cl::Buffer memory, std::size_t bytes,
                      HostBytes kept = {}) {
  auto state = std::make_shared<BufferState>(owner, BufferState::Kind::foreign, bytes);
  state->block.memory = std::move(memory);
  state->block.number = next_block_number();
  state->host = std::move(kept);
  return Buffer(std::move(state));
}

}  // namespace

std::vector<DeviceState*> foreign_device_states() {
  ForeignDevices& all = foreign_devices();
  const std::lock_guard lock(all.mutex);
  std::vector<DeviceState*> states;
  for (const auto& [_, state] : all.states) states.push_back(state.get());
  return states;
}

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
  return memory_object(buffer);
}

_cl_mem* memory_object(const Buffer& buffer) {
  return buffer ? buffer.state()->block.memory() : nullptr;
}

std::optional<Buffer> window_of(const Buffer& buffer, std::size_t offset, std::size_t bytes) {
  require(offset <= buffer.size() && bytes <= buffer.size() - offset, "window_of", bytes,
          " bytes at ", offset, " exceed the buffer's ", buffer.size(), " bytes");
  if (offset == 0) return buffer;
  if (bytes == 0) return std::nullopt;
  BufferState& whole = *buffer.state();
  const cl_buffer_region region{offset, bytes};
  cl_int status = CL_SUCCESS;
  cl::Buffer part =
      whole.block.memory.createSubBuffer(0, CL_BUFFER_CREATE_TYPE_REGION, &region, &status);
  if (status == CL_MISALIGNED_SUB_BUFFER_OFFSET || status == CL_INVALID_MEM_OBJECT)
    return std::nullopt;
  check(status, whole.device.info, "clCreateSubBuffer");
  return foreign_buffer(whole.device, std::move(part), bytes, {{}, buffer.shared()});
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
  return foreign_buffer(owner, std::move(held), bytes);
}

Device device_from_cl_context(cl_context context) {
  constexpr const char* op = "device_from_cl_context";
  require(context != nullptr, op, "the context is null");
  if (DeviceState* const known = state_in(context)) return Device(known);
  const cl::Context held(context, true);
  const DeviceState* const same = state_of(only_device_of(held));
  require(same != nullptr, op, "the context's device is none that clmx uses");
  ForeignDevices& all = foreign_devices();
  const std::lock_guard lock(all.mutex);
  std::unique_ptr<DeviceState>& state = all.states[context];
  if (!state) {
    state = std::make_unique<DeviceState>(same->actual, same->info, same->device);
    state->adopt(held);
  }
  return Device(state.get());
}

Stream stream_from_cl_command_queue(const Device& device, cl_command_queue queue) {
  constexpr const char* op = "stream_from_cl_command_queue";
  require(queue != nullptr, op, "the queue is null");
  DeviceState& owner = *device.state();
  const cl::CommandQueue held(queue, true);
  const auto context = info_of<cl::Context>(held, CL_QUEUE_CONTEXT, owner);
  const auto made_for = info_of<cl::Device>(held, CL_QUEUE_DEVICE, owner);
  const auto properties = info_of<cl_command_queue_properties>(held, CL_QUEUE_PROPERTIES, owner);
  require(context() == owner.context()() && made_for() == owner.device(), op,
          "the queue belongs to another context or device than ", owner.info.selector);
  require((properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) == 0, op,
          "the queue runs its commands out of order");
  finish_ahead_of_handlers();
  return Stream(std::make_shared<StreamState>(owner, StreamOptions{}, "foreign queue", held));
}

}  // namespace clmx
