#pragma once

#include <string>

#include "clmx/devices/device.hpp"

namespace clmx {

/// The limits of a kind of device, to which CLMX_PRETEND lowers those of real ones, so that what is
/// written for devices of that kind can be tested where there is none.
struct PretendProfile {
  std::string name;
  DeviceType type = DeviceType::gpu;
  std::size_t max_allocation_bytes = std::size_t{128} << 20;
  std::size_t max_work_group_size = 64;
  std::size_t local_bytes = std::size_t{16} << 10;
  std::size_t max_parameter_bytes = 1024;
  int subgroup_size = 0;  ///< the largest; 0: no sub-groups
  bool unified_memory = false, fp16 = false, fp64 = false, int_dot = false;
};

/// The built-in profiles:
///
///         allocation  work-group  local   sub-groups  unified  stands for
///   mali  128 MiB     64          16 KiB  none        yes      embedded GPUs
///   gcn   256 MiB     256         32 KiB  up to 64    no       discrete GPUs
///   gen9  256 MiB     256         32 KiB  up to 32    yes      GPUs inside processors
///
/// None has fp16, fp64 or integer dot products; arguments take 1024 bytes. Where they are from:
/// 128 MiB and 1024 bytes are the least that OpenCL 1.2 lets a full profile offer
/// (CL_DEVICE_MAX_MEM_ALLOC_SIZE, CL_DEVICE_MAX_PARAMETER_SIZE); 16 KiB was that for local memory
/// in OpenCL 1.0 and 32 KiB since 1.1. Work-groups: Mali's Midgard GPUs take up to 256 items but
/// only 64 of a kernel that fills the registers; GCN and Gen9 take 256. Largest sub-groups: a GCN
/// wavefront has 64 items, a Gen9 thread up to 32. 256 MiB is a quarter, the least that the
/// standard asks for, of a GPU with 1 GiB. Most real devices of these kinds offer more (Gen9: 64
/// KiB of local memory and fp16): what runs within the profile runs on them.
///
/// name: mali, gcn, gen9, else the path of a JSON object with any of the fields type ("gpu", "cpu"
/// or "accelerator"), max_allocation, max_work_group, local_bytes, max_parameter_bytes, subgroups,
/// unified_memory, fp16, fp64, int_dot, which mean what they mean in `clmx devices --json`; one
/// left out is as in PretendProfile. Throws ArgumentError for a file that cannot be read, is
/// malformed, or has an unknown field or a value that no device has.
PretendProfile pretend_profile(const std::string& name);

/// `real` lowered to the profile: never more than the real device has. Class follows from the rest;
/// name, platform, id, selector and compute units stay. Pure.
DeviceInfo pretend(DeviceInfo real, const PretendProfile& profile);

}  // namespace clmx
