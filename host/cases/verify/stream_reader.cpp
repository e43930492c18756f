#include "stream_reader.hpp"

#include <algorithm>

#include "kernel_library.hpp"

namespace clmx {
namespace {

constexpr std::size_t vector_bytes = 64;

Grid grid_of(const DeviceInfo& device) {
  const auto units = static_cast<std::size_t>(device.compute_units);
  if (device.type == DeviceType::cpu) return Grid::groups(units);
  return Grid::groups(8 * units, 1, 1, std::min<std::size_t>(64, device.max_work_group_size));
}

}  // namespace

StreamReader::StreamReader(const Stream& stream, std::size_t bytes, std::size_t room)
    : stream_(stream),
      bytes_(bytes / vector_bytes * vector_bytes),
      from_(Buffer::allocate(stream, std::max(room, bytes_) + vector_bytes)),
      to_(Buffer::allocate(stream, std::size_t{1} << 16)),
      kernel_(stream.device().kernel({kernels(), "read.cl", "read_all", {}})),
      grid_(grid_of(stream.device().info())) {
  stream.fill(from_, 0, from_.size(), 1);
}

void StreamReader::enqueue() {
  if (at_ + bytes_ > from_.size()) at_ = 0;
  stream_.launch(kernel_, grid_, BufferArgument{from_, at_ / vector_bytes}, BufferArgument{to_},
                 static_cast<std::uint64_t>(bytes_ / vector_bytes));
  at_ += bytes_;
}

}  // namespace clmx
