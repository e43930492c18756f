#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "clmx/devices/kernel.hpp"
#include "opencl.hpp"

namespace clmx {

struct DeviceState;

/// What a program is made of, and where to blame its errors.
struct ProgramRequest {
  std::string file;     ///< the file asked for
  std::string source;   ///< flattened
  std::string options;  ///< for clBuildProgram
};

/// A built program. `shapes` are the launches ("entry x y z", by local size) its binary was made
/// after: drivers that specialise at the first launch have those inside.
struct ProgramState {
  cl::Program program;
  std::string file, key;
  std::mutex mutex;
  std::set<std::string> shapes;
  bool unsaved = false;
  std::array<bool, 3> cuttable{};  ///< axes of a grid: see pacing.hpp
};

/// "-cl-std=CL1.2 -D BITS=4 -D X=f16", sorted, so that the order of constants does not matter. The
/// constant CL_STD names another version of OpenCL C: 200, 300.
std::string build_options(const Constants& constants);

/// Compiles from source, twice if the first try fails: a cold cache of PoCL's can fail under
/// concurrent processes. Throws KernelBuildError.
cl::Program compile(DeviceState& device, const ProgramRequest& request);

}  // namespace clmx
