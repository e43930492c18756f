#include "memory_pool.hpp"

#include <algorithm>
#include <atomic>
#include <bit>

#include "cl_error.hpp"
#include "device_state.hpp"

namespace clmx {
namespace {

// A quarter of the device by default, so that several programs can share it.
std::size_t pool_limit(const DeviceInfo& info) {
  return environment_bytes("CLMX_POOL_LIMIT").value_or(info.global_bytes / 4);
}

std::size_t round_up(std::size_t value, std::size_t step) {
  return (value + step - 1) / step * step;
}

}  // namespace

std::size_t pooled_capacity(std::size_t bytes) {
  constexpr std::size_t smallest_step = 256;
  return round_up(bytes, std::max(smallest_step, std::bit_floor(bytes) / 8));
}

std::uint64_t next_block_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

MemoryPool::MemoryPool(DeviceState& device) : device_(device), limit_(pool_limit(device.info)) {}

bool MemoryPool::reusable(const Block& block, std::uint32_t stream) const {
  return std::all_of(block.uses.begin(), block.uses.end(), [&](const Use& use) {
    return use.stream == stream || device_.streams.completed(use);
  });
}

void MemoryPool::count_active(std::size_t bytes) {
  stats_.active_bytes += bytes;
  stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.active_bytes);
}

Block MemoryPool::take(std::uint32_t stream, std::size_t bytes) {
  const std::size_t capacity =
      std::max(bytes, std::min(pooled_capacity(bytes), device_.info.max_allocation_bytes));
  {
    const std::lock_guard lock(mutex_);
    std::vector<Block>& candidates = free_[capacity];
    const auto found = std::find_if(candidates.rbegin(), candidates.rend(),
                                    [&](const Block& block) { return reusable(block, stream); });
    if (found != candidates.rend()) {
      Block block = std::move(*found);
      candidates.erase(std::next(found).base());
      stats_.cached_bytes -= capacity;
      count_active(capacity);
      return block;
    }
  }
  return allocate(capacity);
}

Block MemoryPool::take_exact(std::size_t bytes) {
  return allocate(bytes);
}

bool MemoryPool::fits(std::size_t bytes) const {
  const std::lock_guard lock(mutex_);
  const std::size_t taken = stats_.active_bytes + stats_.cached_bytes;
  return taken <= device_.info.global_bytes && bytes <= device_.info.global_bytes - taken;
}

cl::Buffer MemoryPool::create(std::size_t bytes, cl_int& status) const {
  return cl::Buffer(device_.context(), CL_MEM_READ_WRITE, bytes, nullptr, &status);
}

Block MemoryPool::allocate(std::size_t bytes) {
  const DeviceInfo& info = device_.info;
  if (bytes > info.max_allocation_bytes) {
    throw OutOfMemory(join("cannot allocate ", bytes, " bytes on ", info.selector,
                           ": its largest allocation is ", info.max_allocation_bytes, " bytes"));
  }
  if (!fits(bytes)) trim();
  cl_int status = CL_MEM_OBJECT_ALLOCATION_FAILURE;
  cl::Buffer memory;
  if (fits(bytes)) memory = create(bytes, status);
  if (is_out_of_memory(status) || status == CL_OUT_OF_RESOURCES) {
    device_.streams.finish_all();
    trim();
    if (fits(bytes)) memory = create(bytes, status);
  }
  if (is_out_of_memory(status) || status == CL_OUT_OF_RESOURCES ||
      status == CL_INVALID_BUFFER_SIZE) {
    throw OutOfMemory(join("cannot allocate ", bytes, " bytes on ", info.selector, " (",
                           stats().active_bytes, " of ", info.global_bytes,
                           " in use): clCreateBuffer: ", describe_code(status)));
  }
  check(status, info, "clCreateBuffer");
  const std::lock_guard lock(mutex_);
  count_active(bytes);
  return {std::move(memory), bytes, next_block_number(), {}};
}

void MemoryPool::give(Block block) {
  const std::lock_guard lock(mutex_);
  stats_.active_bytes -= block.capacity;
  if (block.capacity > limit_ || stats_.cached_bytes > limit_ - block.capacity) return;
  stats_.cached_bytes += block.capacity;
  free_[block.capacity].push_back(std::move(block));
}

void MemoryPool::forget(const Block& block) {
  const std::lock_guard lock(mutex_);
  stats_.active_bytes -= block.capacity;
}

void MemoryPool::hold(HostBytes bytes, cl::Buffer memory, std::vector<Use> uses) {
  {
    const std::lock_guard lock(mutex_);
    held_.push_back({std::move(bytes), std::move(memory), std::move(uses)});
  }
  release_held();
}

void MemoryPool::release_held() {
  std::vector<Held> done;  // destroyed without the lock: an owner's deleter may free buffers
  const std::lock_guard lock(mutex_);
  const auto pending = std::partition(held_.begin(), held_.end(), [this](const Held& held) {
    return !std::all_of(held.uses.begin(), held.uses.end(),
                        [this](const Use& use) { return device_.streams.completed(use); });
  });
  done.assign(std::make_move_iterator(pending), std::make_move_iterator(held_.end()));
  held_.erase(pending, held_.end());
}

void MemoryPool::trim() {
  std::unordered_map<std::size_t, std::vector<Block>> dropped;
  {
    const std::lock_guard lock(mutex_);
    dropped.swap(free_);
    stats_.cached_bytes = 0;
  }
  for (auto& [_, blocks] : dropped) {
    for (Block& block : blocks) {
      if (device_.streams.lost(block.uses)) leave_alone(std::move(block.memory));
    }
  }
}

MemoryStats MemoryPool::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void MemoryPool::reset_peak() {
  const std::lock_guard lock(mutex_);
  stats_.peak_bytes = stats_.active_bytes;
}

}  // namespace clmx
