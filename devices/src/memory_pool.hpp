#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "clmx/devices/memory.hpp"
#include "last_uses.hpp"
#include "opencl.hpp"

namespace clmx {

struct DeviceState;

/// One allocation of the driver's. `number` is unique in the process, which a cl_mem's address is
/// not: a driver may hand out the address of a released one.
struct Block {
  cl::Buffer memory;
  std::size_t capacity = 0;
  std::uint64_t number = 0;
  std::vector<Use> uses;  ///< of its former life, while in the pool
};

/// The capacity class of a request: 256-byte steps, then eight classes to a doubling.
std::size_t pooled_capacity(std::size_t bytes);

/// A number no other block has.
std::uint64_t next_block_number();

/// A device's memory: live blocks counted, freed ones kept by capacity for reuse in stream order.
class MemoryPool {
 public:
  explicit MemoryPool(DeviceState& device);

  /// A pooled block that work on stream `stream` may use at once. Throws OutOfMemory.
  Block take(std::uint32_t stream, std::size_t bytes);
  /// A block of exactly this size from the driver. Throws OutOfMemory.
  Block take_exact(std::size_t bytes);
  /// Back into the pool, or to the driver when the pool is full.
  void give(Block block);
  /// The block is about to go back to the driver.
  void forget(const Block& block);
  /// Keeps host bytes alive until the uses are complete.
  void hold(HostBytes bytes, cl::Buffer memory, std::vector<Use> uses);
  /// Lets go of held host bytes whose uses are complete.
  void release_held();
  void trim();
  MemoryStats stats() const;
  void reset_peak();

 private:
  struct Held {
    HostBytes bytes;
    cl::Buffer memory;
    std::vector<Use> uses;
  };
  Block allocate(std::size_t bytes);
  cl::Buffer create(std::size_t bytes, cl_int& status) const;
  void count_active(std::size_t bytes);
  bool reusable(const Block& block, std::uint32_t stream) const;
  bool fits(std::size_t bytes) const;

  DeviceState& device_;
  std::size_t limit_;
  mutable std::mutex mutex_;
  std::unordered_map<std::size_t, std::vector<Block>> free_;
  std::vector<Held> held_;
  MemoryStats stats_;
};

}  // namespace clmx
