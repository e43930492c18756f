#include "cl_error.hpp"

#include <algorithm>
#include <array>

namespace clmx {
namespace {

struct NamedCode {
  cl_int code;
  std::string_view name;
};

#define CLMX_CODE(name) \
  NamedCode {           \
    name, #name         \
  }
constexpr std::array named_codes{
    CLMX_CODE(CL_SUCCESS),
    CLMX_CODE(CL_DEVICE_NOT_FOUND),
    CLMX_CODE(CL_DEVICE_NOT_AVAILABLE),
    CLMX_CODE(CL_COMPILER_NOT_AVAILABLE),
    CLMX_CODE(CL_MEM_OBJECT_ALLOCATION_FAILURE),
    CLMX_CODE(CL_OUT_OF_RESOURCES),
    CLMX_CODE(CL_OUT_OF_HOST_MEMORY),
    CLMX_CODE(CL_PROFILING_INFO_NOT_AVAILABLE),
    CLMX_CODE(CL_MEM_COPY_OVERLAP),
    CLMX_CODE(CL_IMAGE_FORMAT_MISMATCH),
    CLMX_CODE(CL_IMAGE_FORMAT_NOT_SUPPORTED),
    CLMX_CODE(CL_BUILD_PROGRAM_FAILURE),
    CLMX_CODE(CL_MAP_FAILURE),
    CLMX_CODE(CL_MISALIGNED_SUB_BUFFER_OFFSET),
    CLMX_CODE(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
    CLMX_CODE(CL_COMPILE_PROGRAM_FAILURE),
    CLMX_CODE(CL_LINKER_NOT_AVAILABLE),
    CLMX_CODE(CL_LINK_PROGRAM_FAILURE),
    CLMX_CODE(CL_DEVICE_PARTITION_FAILED),
    CLMX_CODE(CL_KERNEL_ARG_INFO_NOT_AVAILABLE),
    CLMX_CODE(CL_INVALID_VALUE),
    CLMX_CODE(CL_INVALID_DEVICE_TYPE),
    CLMX_CODE(CL_INVALID_PLATFORM),
    CLMX_CODE(CL_INVALID_DEVICE),
    CLMX_CODE(CL_INVALID_CONTEXT),
    CLMX_CODE(CL_INVALID_QUEUE_PROPERTIES),
    CLMX_CODE(CL_INVALID_COMMAND_QUEUE),
    CLMX_CODE(CL_INVALID_HOST_PTR),
    CLMX_CODE(CL_INVALID_MEM_OBJECT),
    CLMX_CODE(CL_INVALID_BINARY),
    CLMX_CODE(CL_INVALID_BUILD_OPTIONS),
    CLMX_CODE(CL_INVALID_PROGRAM),
    CLMX_CODE(CL_INVALID_PROGRAM_EXECUTABLE),
    CLMX_CODE(CL_INVALID_KERNEL_NAME),
    CLMX_CODE(CL_INVALID_KERNEL_DEFINITION),
    CLMX_CODE(CL_INVALID_KERNEL),
    CLMX_CODE(CL_INVALID_ARG_INDEX),
    CLMX_CODE(CL_INVALID_ARG_VALUE),
    CLMX_CODE(CL_INVALID_ARG_SIZE),
    CLMX_CODE(CL_INVALID_KERNEL_ARGS),
    CLMX_CODE(CL_INVALID_WORK_DIMENSION),
    CLMX_CODE(CL_INVALID_WORK_GROUP_SIZE),
    CLMX_CODE(CL_INVALID_WORK_ITEM_SIZE),
    CLMX_CODE(CL_INVALID_GLOBAL_OFFSET),
    CLMX_CODE(CL_INVALID_EVENT_WAIT_LIST),
    CLMX_CODE(CL_INVALID_EVENT),
    CLMX_CODE(CL_INVALID_OPERATION),
    CLMX_CODE(CL_INVALID_BUFFER_SIZE),
    CLMX_CODE(CL_INVALID_GLOBAL_WORK_SIZE),
    CLMX_CODE(CL_INVALID_PROPERTY),
    CLMX_CODE(CL_INVALID_COMPILER_OPTIONS),
    CLMX_CODE(CL_INVALID_LINKER_OPTIONS),
    NamedCode{-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
};
#undef CLMX_CODE

}  // namespace

std::string_view code_name(cl_int code) {
  const auto* found = std::find_if(named_codes.begin(), named_codes.end(),
                                   [code](const NamedCode& known) { return known.code == code; });
  return found == named_codes.end() ? "unknown code" : found->name;
}

std::string describe_code(cl_int code) {
  return join(code_name(code), " (", code, ')');
}

void throw_device_error(const DeviceInfo& device, std::string_view call, cl_int code,
                        std::string_view detail) {
  std::string message =
      join(call, " failed on ", device.selector, " (", device.name, "): ", describe_code(code));
  if (!detail.empty()) message += join("; ", detail);
  throw DeviceError(message, std::string(call), code, device.selector);
}

bool loses_device(cl_int code) {
  return code == CL_DEVICE_NOT_AVAILABLE || code == CL_OUT_OF_RESOURCES ||
         code == CL_INVALID_COMMAND_QUEUE;
}

bool is_out_of_memory(cl_int code) {
  return code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_HOST_MEMORY;
}

}  // namespace clmx
