#include "device_info.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

// Of later versions and of extensions whose headers not every system has.
constexpr cl_device_info max_num_sub_groups = 0x105C;     // OpenCL 2.1
constexpr cl_device_info device_uuid = 0x106A;            // cl_khr_device_uuid
constexpr cl_device_info device_pci_bus = 0x410F;         // cl_khr_pci_bus_info
constexpr cl_device_info warp_size_nv = 0x4003;           // cl_nv_device_attribute_query
constexpr cl_device_info wavefront_width_amd = 0x4043;    // cl_amd_device_attribute_query
constexpr cl_device_info sub_group_sizes_intel = 0x4108;  // cl_intel_required_subgroup_size

template <class T>
T property(const cl::Device& device, cl_device_info name, T otherwise = {}) {
  T value{};
  const cl_int status = clGetDeviceInfo(device(), name, sizeof value, &value, nullptr);
  return status == CL_SUCCESS ? value : otherwise;
}

std::string text(const cl::Device& device, cl_device_info name) {
  std::string value;
  if (device.getInfo(name, &value) != CL_SUCCESS) return {};
  while (!value.empty() && (value.back() == ' ' || value.back() == '\0')) value.pop_back();
  value.erase(0, std::min(value.find_first_not_of(' '), value.size()));
  return value;
}

bool has_extension(const std::string& extensions, std::string_view name) {
  return join(' ', extensions, ' ').find(join(' ', name, ' ')) != std::string::npos;
}

DeviceType device_type(const cl::Device& device) {
  const auto type = property<cl_device_type>(device, CL_DEVICE_TYPE);
  if (type & CL_DEVICE_TYPE_CPU) return DeviceType::cpu;
  return type & CL_DEVICE_TYPE_GPU ? DeviceType::gpu : DeviceType::accelerator;
}

int sub_group_size(const cl::Device& device, const std::string& extensions) {
  const auto most = property<cl_uint>(device, max_num_sub_groups);
  if (most == 0 && !has_extension(extensions, "cl_khr_subgroups")) return 0;
  if (has_extension(extensions, "cl_intel_required_subgroup_size")) {
    std::array<std::size_t, 16> sizes{};
    std::size_t bytes = 0;
    if (clGetDeviceInfo(device(), sub_group_sizes_intel, sizeof sizes, sizes.data(), &bytes) ==
            CL_SUCCESS &&
        bytes > 0) {
      return static_cast<int>(*std::max_element(sizes.begin(), sizes.end()));
    }
  }
  for (const cl_device_info name : {warp_size_nv, wavefront_width_amd}) {
    if (const auto size = property<cl_uint>(device, name); size > 0) return static_cast<int>(size);
  }
  const auto group = property<std::size_t>(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, 1);
  return most == 0 ? 1 : static_cast<int>((group + most - 1) / most);
}

// Asked before any call that makes one: some drivers end the process where they have none.
int max_sub_devices(const cl::Device& device) {
  const auto most = property<cl_uint>(device, CL_DEVICE_PARTITION_MAX_SUB_DEVICES);
  std::vector<cl_device_partition_property> kinds;
  const bool by_counts =
      device.getInfo(CL_DEVICE_PARTITION_PROPERTIES, &kinds) == CL_SUCCESS &&
      std::find(kinds.begin(), kinds.end(), CL_DEVICE_PARTITION_BY_COUNTS) != kinds.end();
  return most > 1 && by_counts ? static_cast<int>(most) : 0;
}

std::size_t clamped(cl_ulong bytes) {
  return static_cast<std::size_t>(std::min<cl_ulong>(bytes, SIZE_MAX));
}

void read_memory(const cl::Device& device, DeviceInfo& info) {
  info.local_bytes = clamped(property<cl_ulong>(device, CL_DEVICE_LOCAL_MEM_SIZE));
  info.global_bytes = clamped(property<cl_ulong>(device, CL_DEVICE_GLOBAL_MEM_SIZE));
  info.max_allocation_bytes = clamped(property<cl_ulong>(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE));
  info.unified_memory = property<cl_bool>(device, CL_DEVICE_HOST_UNIFIED_MEMORY) != CL_FALSE;
  if (const auto lower = environment_bytes("CLMX_MAX_ALLOCATION")) {
    info.max_allocation_bytes = std::min(info.max_allocation_bytes, *lower);
  }
}

}  // namespace

std::string_view to_string(DeviceType type) {
  switch (type) {
    case DeviceType::cpu:
      return "cpu";
    case DeviceType::gpu:
      return "gpu";
    case DeviceType::accelerator:
      return "accelerator";
  }
  return "unknown";
}

std::string_view to_string(DeviceClass device_class) {
  switch (device_class) {
    case DeviceClass::cpu_vector:
      return "cpu_vector";
    case DeviceClass::gpu_subgroup:
      return "gpu_subgroup";
    case DeviceClass::gpu_plain:
      return "gpu_plain";
    case DeviceClass::emulated:
      return "emulated";
  }
  return "unknown";
}

DeviceClass device_class(const DeviceInfo& info) {
  if (info.type == DeviceType::cpu) {
    return info.native_float_width == 1 ? DeviceClass::emulated : DeviceClass::cpu_vector;
  }
  return info.subgroup_size > 0 ? DeviceClass::gpu_subgroup : DeviceClass::gpu_plain;
}

DeviceInfo read_device_info(const cl::Device& device) {
  DeviceInfo info;
  const std::string extensions = text(device, CL_DEVICE_EXTENSIONS);
  info.name = text(device, CL_DEVICE_NAME);
  info.vendor = text(device, CL_DEVICE_VENDOR);
  info.driver_version = text(device, CL_DRIVER_VERSION);
  info.opencl_version = text(device, CL_DEVICE_VERSION);
  info.opencl_c_version = text(device, CL_DEVICE_OPENCL_C_VERSION);
  info.type = device_type(device);
  info.compute_units = static_cast<int>(property<cl_uint>(device, CL_DEVICE_MAX_COMPUTE_UNITS, 1));
  info.native_float_width =
      static_cast<int>(property<cl_uint>(device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, 1));
  info.max_sub_devices = max_sub_devices(device);
  info.subgroup_size = sub_group_size(device, extensions);
  info.device_class = device_class(info);
  info.max_work_group_size = property<std::size_t>(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, 1);
  info.max_parameter_bytes = property<std::size_t>(device, CL_DEVICE_MAX_PARAMETER_SIZE, 1024);
  info.timer_resolution_ns = property<std::size_t>(device, CL_DEVICE_PROFILING_TIMER_RESOLUTION);
  read_memory(device, info);
  info.fp16 = has_extension(extensions, "cl_khr_fp16");
  info.fp64 = has_extension(extensions, "cl_khr_fp64");
  info.int_dot = has_extension(extensions, "cl_khr_integer_dot_product");
  return info;
}

std::string hardware_address(const cl::Device& device) {
  std::array<cl_uchar, 16> uuid{};
  if (clGetDeviceInfo(device(), device_uuid, sizeof uuid, uuid.data(), nullptr) == CL_SUCCESS &&
      std::any_of(uuid.begin(), uuid.end(), [](cl_uchar byte) { return byte != 0; })) {
    return "uuid " + std::string(uuid.begin(), uuid.end());
  }
  std::array<cl_uint, 4> pci{};  // domain, bus, device, function
  if (clGetDeviceInfo(device(), device_pci_bus, sizeof pci, pci.data(), nullptr) == CL_SUCCESS) {
    return join("pci ", pci[0], ':', pci[1], ':', pci[2], '.', pci[3]);
  }
  return {};
}

std::string unusable_reason(const cl::Device& device) {
  if (!property<cl_bool>(device, CL_DEVICE_AVAILABLE)) return "the device is not available";
  if (!property<cl_bool>(device, CL_DEVICE_COMPILER_AVAILABLE)) return "it has no compiler";
  return {};
}

}  // namespace clmx
