#pragma once

#include <string>
#include <string_view>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "opencl.hpp"

namespace clmx {

/// "CL_OUT_OF_RESOURCES" for -5; "unknown code" for what no header names.
std::string_view code_name(cl_int code);

/// "CL_OUT_OF_RESOURCES (-5)".
std::string describe_code(cl_int code);

/// Throws DeviceError "[call] failed on SELECTOR (NAME): CODE", with `detail` appended if any.
[[noreturn]] void throw_device_error(const DeviceInfo& device, std::string_view call, cl_int code,
                                     std::string_view detail = {});

inline void check(cl_int code, const DeviceInfo& device, std::string_view call) {
  if (code != CL_SUCCESS) throw_device_error(device, call, code);
}

/// Codes that say memory is exhausted, whatever the call.
bool is_out_of_memory(cl_int code);
/// Whether the code may mean that the device is lost.
bool loses_device(cl_int code);

}  // namespace clmx
