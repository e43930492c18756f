#pragma once

#include <CL/cl.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fake {

/// What the environment asks of the driver:
///   FAKE_OPENCL_DEVICES=cpu,gpu,accelerator  the devices, one cpu by default; "none": no devices
///   FAKE_OPENCL_FAIL=CALL:N:CODE[,...]       the N-th CALL returns CODE; N+ for it and all after
///   FAKE_OPENCL_LOSE_AT=N                    with the N-th command executed every queue is lost
///   FAKE_OPENCL_HANG_AT=N                    the N-th command executed never ends
///   FAKE_OPENCL_TIMER=NS                     timer resolution, 0 for none (default 1)
///   FAKE_OPENCL_LIES=1                       events started before they were enqueued
///   FAKE_OPENCL_SUBGROUPS=N                  size of sub-groups, none by default
///   FAKE_OPENCL_MEMORY=BYTES                 of each device, 1 GiB by default
struct Settings {
  std::vector<std::string> devices;
  std::uint64_t lose_at = 0, hang_at = 0, timer = 1, subgroups = 0, memory = 0;
  bool lies = false;
};
const Settings& settings();

/// Counts the call; the code it has to fail with, or CL_SUCCESS.
cl_int fault(const char* call);

/// Counts an executed command; what becomes of it.
enum class Fate { runs, fails, hangs };
Fate next_fate();
bool lost();

}  // namespace fake
