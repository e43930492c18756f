#include "program.hpp"

#include <algorithm>
#include <vector>

#include "cl_error.hpp"
#include "clmx/devices/trace.hpp"
#include "counters.hpp"
#include "device_state.hpp"

namespace clmx {
namespace {

std::string build_log(const cl::Program& program, const cl::Device& device) {
  std::string log;
  if (program.getBuildInfo(device, CL_PROGRAM_BUILD_LOG, &log) != CL_SUCCESS) log.clear();
  while (!log.empty() && (log.back() == '\0' || log.back() == '\n')) log.pop_back();
  return log;
}

cl_int try_build(DeviceState& device, const ProgramRequest& request, cl::Program& program) {
  cl_int status = CL_SUCCESS;
  program = cl::Program(device.context(), request.source, false, &status);
  check(status, device.info, "clCreateProgramWithSource");
  return program.build(device.device, request.options.c_str());
}

}  // namespace

std::string build_options(const Constants& constants) {
  std::vector<std::string> definitions;
  std::int64_t language = 120;
  for (const Constant& constant : constants) {
    const ConstantValue& value = constant.value;
    if (constant.name == "CL_STD") {
      language = value.number;
      continue;
    }
    definitions.push_back(value.symbol.empty() ? join(" -D ", constant.name, '=', value.number)
                                               : join(" -D ", constant.name, '=', value.symbol));
  }
  std::sort(definitions.begin(), definitions.end());
  std::string options = join("-cl-std=CL", language / 100, '.', language / 10 % 10);
  for (const std::string& definition : definitions) options += definition;
  return options;
}

cl::Program compile(DeviceState& device, const ProgramRequest& request) {
  const TraceScope compiling(request.file, TraceKind::compile);
  cl::Program program;
  cl_int status = try_build(device, request, program);
  if (status != CL_SUCCESS) status = try_build(device, request, program);
  if (status != CL_SUCCESS) {
    const std::string log = build_log(program, device.device);
    throw KernelBuildError(
        join("cannot build ", request.file, " for ", device.info.selector, " (", device.info.name,
             ") with '", request.options, "': ", describe_code(status), '\n', log),
        request.file, request.options, log);
  }
  ++counters().compiled;
  return program;
}

}  // namespace clmx
