#include <memory>

#include "api.hpp"

namespace fake {
namespace {

cl_platform_id platform() {
  static auto* const only = new _cl_platform_id;
  return only;
}

cl_device_type type_named(const std::string& name) {
  if (name == "gpu") return CL_DEVICE_TYPE_GPU;
  return name == "accelerator" ? CL_DEVICE_TYPE_ACCELERATOR : CL_DEVICE_TYPE_CPU;
}

cl_int get_platform_ids(cl_uint room, cl_platform_id* platforms, cl_uint* count) {
  if (const cl_int code = fault("clGetPlatformIDs")) return code;
  if (count != nullptr) *count = 1;
  if (platforms != nullptr && room > 0) *platforms = platform();
  return CL_SUCCESS;
}

cl_int get_platform_info(cl_platform_id, cl_platform_info name, std::size_t room, void* to,
                         std::size_t* size) {
  if (const cl_int code = fault("clGetPlatformInfo")) return code;
  const auto text = [name]() -> std::string {
    switch (name) {
      case CL_PLATFORM_PROFILE:
        return "FULL_PROFILE";
      case CL_PLATFORM_VERSION:
        return "OpenCL 1.2 fake";
      case CL_PLATFORM_NAME:
        return "Fake";
      case CL_PLATFORM_VENDOR:
        return "clmx";
      case CL_PLATFORM_EXTENSIONS:
        return "cl_khr_icd";
      case CL_PLATFORM_ICD_SUFFIX_KHR:
        return "FAKE";
      default:
        return {};
    }
  }();
  return text.empty() ? CL_INVALID_VALUE : answer(text, room, to, size);
}

cl_int get_device_ids(cl_platform_id, cl_device_type type, cl_uint room, cl_device_id* devices,
                      cl_uint* count) {
  if (const cl_int code = fault("clGetDeviceIDs")) return code;
  cl_uint found = 0;
  for (const cl_device_id device : all_devices()) {
    if ((device->type & type) == 0) continue;
    if (devices != nullptr && found < room) devices[found] = device;
    ++found;
  }
  if (count != nullptr) *count = found;
  return found == 0 ? CL_DEVICE_NOT_FOUND : CL_SUCCESS;
}

std::string device_text(cl_device_id device, cl_device_info name) {
  switch (name) {
    case CL_DEVICE_NAME:
      return device->name;
    case CL_DEVICE_VENDOR:
      return "clmx";
    case CL_DRIVER_VERSION:
      return "1";
    case CL_DEVICE_PROFILE:
      return "FULL_PROFILE";
    case CL_DEVICE_VERSION:
      return "OpenCL 1.2 fake";
    case CL_DEVICE_OPENCL_C_VERSION:
      return "OpenCL C 1.2 fake";
    case CL_DEVICE_EXTENSIONS:
      return "none";
    default:
      return {};
  }
}

/// A number of OpenCL's, by the width it has there; nothing for what this driver does not know.
struct Number {
  std::uint64_t value = 0;
  std::size_t bytes = 0;
};

Number device_number(cl_device_id device, cl_device_info name) {
  switch (name) {
    case CL_DEVICE_TYPE:
      return {device->type, sizeof(cl_device_type)};
    case CL_DEVICE_PLATFORM:
      return {reinterpret_cast<std::uintptr_t>(platform()), sizeof(void*)};
    case CL_DEVICE_MAX_COMPUTE_UNITS:
    case CL_DEVICE_AVAILABLE:
    case CL_DEVICE_COMPILER_AVAILABLE:
    case CL_DEVICE_LINKER_AVAILABLE:
    case CL_DEVICE_ENDIAN_LITTLE:
      return {1, sizeof(cl_uint)};
    case CL_DEVICE_HOST_UNIFIED_MEMORY:
      return {device->type == CL_DEVICE_TYPE_GPU ? 0U : 1U, sizeof(cl_uint)};
    case CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT:
      return {8, sizeof(cl_uint)};
    case CL_DEVICE_ADDRESS_BITS:
      return {64, sizeof(cl_uint)};
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN:
      return {1024, sizeof(cl_uint)};
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
    case CL_DEVICE_MAX_PARAMETER_SIZE:
      return {1024, sizeof(std::size_t)};
    case CL_DEVICE_LOCAL_MEM_SIZE:
      return {32768, sizeof(cl_ulong)};
    case CL_DEVICE_GLOBAL_MEM_SIZE:
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
      return {std::uint64_t{1} << 30, sizeof(cl_ulong)};
    case CL_DEVICE_PROFILING_TIMER_RESOLUTION:
      return {1, sizeof(std::size_t)};
    default:
      return {};
  }
}

cl_int get_device_info(cl_device_id device, cl_device_info name, std::size_t room, void* to,
                       std::size_t* size) {
  if (const cl_int code = fault("clGetDeviceInfo")) return code;
  const std::string text = device_text(device, name);
  if (!text.empty()) return answer(text, room, to, size);
  const Number number = device_number(device, name);
  return number.bytes == 0 ? CL_INVALID_VALUE : answer(&number.value, number.bytes, room, to, size);
}

}  // namespace

const std::vector<cl_device_id>& all_devices() {
  static const auto* const made = [] {
    auto* const list = new std::vector<cl_device_id>;
    for (const std::string& name : device_names()) {
      list->push_back(new _cl_device_id(type_named(name), "Fake " + name));
    }
    return list;
  }();
  return *made;
}

cl_icd_dispatch& dispatch() {
  static auto* const table = [] {
    auto* const made = new cl_icd_dispatch{};
    add_platform_functions(*made);
    add_object_functions(*made);
    add_program_functions(*made);
    add_queue_functions(*made);
    return made;
  }();
  return *table;
}

void add_platform_functions(cl_icd_dispatch& table) {
  table.clGetPlatformIDs = get_platform_ids;
  table.clGetPlatformInfo = get_platform_info;
  table.clGetDeviceIDs = get_device_ids;
  table.clGetDeviceInfo = get_device_info;
}

}  // namespace fake

// NOLINTBEGIN(readability-identifier-naming): what the loader looks for
#define FAKE_EXPORT extern "C" __attribute__((visibility("default")))

FAKE_EXPORT cl_int clIcdGetPlatformIDsKHR(cl_uint room, cl_platform_id* platforms, cl_uint* count) {
  return fake::get_platform_ids(room, platforms, count);
}

FAKE_EXPORT void* clGetExtensionFunctionAddress(const char* name) {
  const std::string_view wanted = name;
  if (wanted == "clIcdGetPlatformIDsKHR") return reinterpret_cast<void*>(&clIcdGetPlatformIDsKHR);
  if (wanted == "clGetPlatformInfo") return reinterpret_cast<void*>(&fake::get_platform_info);
  return nullptr;
}

FAKE_EXPORT const fake::Control* fake_opencl_control() {
  return &fake::control();
}
// NOLINTEND(readability-identifier-naming)
