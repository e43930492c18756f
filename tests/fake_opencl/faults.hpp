#pragma once

#include <CL/cl.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "control.hpp"

namespace fake {

/// The names in FAKE_OPENCL_DEVICES, of cpu, gpu and accelerator and each once; else one cpu.
std::vector<std::string> device_names();

/// What a device was told to do. Without orders between threads, as all of this driver.
struct Misbehaviour {
  std::atomic<std::uint32_t> losses{0};
  std::atomic<bool> gone{false}, hangs{false}, lies{false};
};

/// Counts the call; the code it has to fail with, or CL_SUCCESS.
cl_int fault(const char* call);

const Control& control();

}  // namespace fake
