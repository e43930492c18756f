#pragma once

#include <memory>
#include <string>

#include "clmx/devices/kernel.hpp"
#include "opencl.hpp"
#include "program.hpp"

namespace clmx {

/// A kernel of one device. Streams launch their own clones of it, found by `number`.
struct KernelState {
  DeviceState& device;
  std::shared_ptr<ProgramState> program;
  std::string entry;
  std::uint32_t number = 0;
  std::uint32_t argument_count = 0;
  std::size_t max_work_group_size = 1;
  std::size_t local_bytes = 0;
};

}  // namespace clmx
