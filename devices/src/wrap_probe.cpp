#include <array>
#include <vector>

#include "cl_error.hpp"
#include "stream_state.hpp"

namespace clmx {
namespace {

constexpr std::array probe_files{KernelSource{"wrap_probe.cl", R"(
kernel void wrap_probe(const global uchar* from, ulong from_at, global uchar* to, ulong to_at) {
  to[to_at + get_global_id(0)] = from[from_at + get_global_id(0)];
})"}};
constexpr KernelLibrary probe_library{"devices", probe_files};

// Host bytes changed after the buffer was made: only a kernel that reads the very pages sees them.
bool sees_host_pages(DeviceState& device) {
  constexpr std::size_t bytes = 4096;
  auto pages = std::make_shared<std::vector<std::byte>>(bytes + 64, std::byte{1});
  const std::span<std::byte> window(pages->data() + 16, bytes);

  cl_int status = CL_SUCCESS;
  Buffer from(std::make_shared<BufferState>(device, BufferState::Kind::foreign, bytes));
  from.state()->block.memory = cl::Buffer(device.context(), CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR,
                                          bytes, window.data(), &status);
  from.state()->block.number = next_block_number();
  from.state()->host = {window, pages};
  if (status != CL_SUCCESS) return false;
  for (std::size_t i = 0; i < bytes; ++i) window[i] = static_cast<std::byte>(i * 7 + 3);

  const Stream stream = Device(&device).new_stream();
  const Buffer to = Buffer::allocate_unpooled(Device(&device), bytes);
  const Kernel kernel = Device(&device).kernel({probe_library, "wrap_probe.cl", "wrap_probe", {}});
  stream.launch(kernel, Grid::linear(bytes, 64), BufferArgument{from}, BufferArgument{to});
  std::vector<std::byte> seen(bytes);
  stream.read(to, 0, seen);
  return std::equal(seen.begin(), seen.end(), window.begin());
}

}  // namespace

bool DeviceState::wraps_host_memory() {
  std::call_once(wrap_once_, [this] {
    // Without unified memory every access would travel: a copy pays.
    if (!info.unified_memory) return;
    try {
      wraps_ = sees_host_pages(*this);
    } catch (const Error&) {
      wraps_ = false;  // a device that fails at this is used with copies
    }
  });
  return wraps_;
}

}  // namespace clmx
