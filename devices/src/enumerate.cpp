#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <tuple>

#include "cl_error.hpp"
#include "device_info.hpp"
#include "device_state.hpp"
#include "driver_needs.hpp"
#include "fork.hpp"
#include "pretend.hpp"
#include "select.hpp"

namespace clmx {
namespace {

struct Found {
  DeviceInfo info;
  cl::Device device;
  std::string hardware;  // UUID or PCI address, empty where not offered
};

std::string hex_hash(const std::string& text) {
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(text.data(), text.size())));
  return digits.data();
}

int rank(const DeviceInfo& info) {
  if (info.device_class == DeviceClass::emulated) return 3;
  switch (info.type) {
    case DeviceType::gpu:
      return 0;
    case DeviceType::accelerator:
      return 1;
    case DeviceType::cpu:
      return 2;
  }
  return 4;
}

bool stable_order(const Found& a, const Found& b) {
  const auto key = [](const DeviceInfo& info) {
    return std::make_tuple(rank(info), std::cref(info.platform), std::cref(info.name),
                           info.platform_index, info.device_index);
  };
  return key(a.info) < key(b.info);
}

void add_devices(const cl::Platform& platform, int platform_index, std::vector<Found>& found,
                 std::vector<DeviceProblem>& problems) {
  std::string name;
  cl_int status = platform.getInfo(CL_PLATFORM_NAME, &name);
  if (name.empty()) name = join("platform ", platform_index);
  std::vector<cl::Device> devices;
  if (status == CL_SUCCESS) status = platform.getDevices(CL_DEVICE_TYPE_ALL, &devices);
  if (status == CL_DEVICE_NOT_FOUND || (status == CL_SUCCESS && devices.empty())) {
    const std::string why = reason_for_no_devices(name);
    problems.push_back({name, why.empty() ? "no devices" : "no devices: " + why});
    return;
  }
  if (status != CL_SUCCESS) {
    problems.push_back({name, join("clGetDeviceIDs: ", describe_code(status))});
    return;
  }
  for (int i = 0; i < static_cast<int>(devices.size()); ++i) {
    const cl::Device& device = devices[static_cast<std::size_t>(i)];
    Found one{read_device_info(device), device, hardware_address(device)};
    one.info.platform = name;
    one.info.platform_index = platform_index;
    one.info.device_index = i;
    if (const std::string reason = unusable_reason(device); !reason.empty()) {
      problems.push_back({join(one.info.name, " (", name, ')'), reason});
    } else {
      found.push_back(std::move(one));
    }
  }
}

// Needs the stable order: counts devices of the same name, alias and type.
void name_devices(std::vector<Found>& found) {
  std::map<std::string, int> same_name, same_word;
  std::map<std::string, int> same_hardware;
  for (const Found& one : found) ++same_hardware[one.info.platform + one.hardware];
  for (Found& one : found) {
    DeviceInfo& info = one.info;
    const int ordinal = same_name[info.platform + '\n' + info.name]++;
    const bool unique = !one.hardware.empty() && same_hardware[info.platform + one.hardware] == 1;
    info.id = hex_hash(unique ? join(info.platform, '\n', one.hardware)
                              : join(info.platform, '\n', info.name, '\n', ordinal));
  }
  for (Found& one : found) {
    const std::string alias(platform_alias(one.info.platform));
    const std::string type(to_string(one.info.type));
    const int of_type = same_word[type]++;
    one.info.selector =
        alias.empty() ? join(type, ':', of_type) : join(alias, ':', same_word[alias]++);
  }
}

Devices enumerate() {
  Devices result;
  std::optional<PretendProfile> profile;
  if (const auto name = environment("CLMX_PRETEND")) profile = pretend_profile(*name);
  std::vector<cl::Platform> platforms;
  const cl_int status = cl::Platform::get(&platforms);
  if (status != CL_SUCCESS || platforms.empty()) {
    result.problems.push_back({"OpenCL", join("clGetPlatformIDs: ", describe_code(status))});
  }
  std::vector<Found> found;
  for (std::size_t i = 0; i < platforms.size(); ++i) {
    add_devices(platforms[i], static_cast<int>(i), found, result.problems);
  }
  std::sort(found.begin(), found.end(), stable_order);
  name_devices(found);
  for (Found& one : found) {
    DeviceInfo seen = profile ? pretend(one.info, *profile) : one.info;
    result.states.push_back(
        std::make_unique<DeviceState>(std::move(one.info), std::move(seen), std::move(one.device)));
    result.handles.emplace_back(result.states.back().get());
  }
  return result;
}

}  // namespace

Devices& devices() {
  // Never destroyed: buffers held by objects of static life come back after the last destructor.
  static auto* const found = [] {
    watch_forks();
    return new Devices(enumerate());
  }();
  if (forked()) throw_forked();
  return *found;
}

}  // namespace clmx
