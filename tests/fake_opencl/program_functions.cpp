#include "api.hpp"
#include "kernels.hpp"

// NOLINTBEGIN(readability-function-size): OpenCL's signatures
namespace fake {
namespace {

cl_program from_source(cl_context context, cl_uint count, const char** strings,
                       const std::size_t* lengths, cl_int* status) {
  return create("clCreateProgramWithSource", status, [&] {
    std::string source;
    for (cl_uint i = 0; i < count; ++i) {
      source += lengths == nullptr || lengths[i] == 0 ? std::string(strings[i])
                                                      : std::string(strings[i], lengths[i]);
    }
    return new _cl_program(context, source);
  });
}

cl_program from_binary(cl_context context, cl_uint, const cl_device_id*, const std::size_t* lengths,
                       const unsigned char** binaries, cl_int* each, cl_int* status) {
  return create("clCreateProgramWithBinary", status, [&] {
    if (each != nullptr) *each = CL_SUCCESS;
    return new _cl_program(context,
                           std::string(reinterpret_cast<const char*>(binaries[0]), lengths[0]));
  });
}

cl_int build(cl_program program, cl_uint, const cl_device_id*, const char* options,
             void (*)(cl_program, void*), void*) {
  if (const cl_int code = fault("clBuildProgram")) return code;
  program->options = options == nullptr ? "" : options;
  return CL_SUCCESS;
}

cl_int get_program_info(cl_program program, cl_program_info name, std::size_t room, void* to,
                        std::size_t* size) {
  if (const cl_int code = fault("clGetProgramInfo")) return code;
  switch (name) {
    case CL_PROGRAM_NUM_DEVICES:
      return answer(cl_uint{1}, room, to, size);
    case CL_PROGRAM_DEVICES:
      return answer(program->context->device, room, to, size);
    case CL_PROGRAM_BINARY_SIZES:
      return answer(program->source.size(), room, to, size);
    case CL_PROGRAM_BINARIES:
      if (size != nullptr) *size = sizeof(unsigned char*);
      if (to != nullptr) {
        std::memcpy(*static_cast<unsigned char**>(to), program->source.data(),
                    program->source.size());
      }
      return CL_SUCCESS;
    default:
      return CL_INVALID_VALUE;
  }
}

cl_int get_build_info(cl_program, cl_device_id, cl_program_build_info name, std::size_t room,
                      void* to, std::size_t* size) {
  if (const cl_int code = fault("clGetProgramBuildInfo")) return code;
  return name == CL_PROGRAM_BUILD_LOG ? answer(std::string("a log"), room, to, size)
                                      : CL_INVALID_VALUE;
}

cl_kernel create_kernel(cl_program program, const char* entry, cl_int* status) {
  const KernelFunction* const function = find_kernel(entry);
  cl_kernel made = create("clCreateKernel", status, [&]() -> cl_kernel {
    return function == nullptr ? nullptr : new _cl_kernel(program, function);
  });
  if (function == nullptr && status != nullptr) *status = CL_INVALID_KERNEL_NAME;
  return made;
}

cl_int set_argument(cl_kernel kernel, cl_uint index, std::size_t bytes, const void* value) {
  if (const cl_int code = fault("clSetKernelArg")) return code;
  if (index >= kernel->arguments.size()) return CL_INVALID_ARG_INDEX;
  if (bytes > sizeof(Argument::bytes)) return CL_INVALID_ARG_SIZE;
  Argument& argument = kernel->arguments[index];
  argument.bytes.fill(std::byte{});
  if (value != nullptr) std::memcpy(argument.bytes.data(), value, bytes);
  return CL_SUCCESS;
}

cl_int get_kernel_info(cl_kernel kernel, cl_kernel_info name, std::size_t room, void* to,
                       std::size_t* size) {
  if (const cl_int code = fault("clGetKernelInfo")) return code;
  if (name != CL_KERNEL_NUM_ARGS) return CL_INVALID_VALUE;
  return answer(static_cast<cl_uint>(kernel->function->arguments), room, to, size);
}

cl_int get_work_group_info(cl_kernel, cl_device_id, cl_kernel_work_group_info name,
                           std::size_t room, void* to, std::size_t* size) {
  if (const cl_int code = fault("clGetKernelWorkGroupInfo")) return code;
  switch (name) {
    case CL_KERNEL_WORK_GROUP_SIZE:
      return answer(std::size_t{1024}, room, to, size);
    case CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE:
      return answer(std::size_t{8}, room, to, size);
    case CL_KERNEL_LOCAL_MEM_SIZE:
      return answer(cl_ulong{0}, room, to, size);
    default:
      return CL_INVALID_VALUE;
  }
}

}  // namespace

void add_program_functions(cl_icd_dispatch& table) {
  table.clCreateProgramWithSource = from_source;
  table.clCreateProgramWithBinary = from_binary;
  table.clRetainProgram = [](cl_program object) { return retain(object); };
  table.clReleaseProgram = [](cl_program object) { return release(object); };
  table.clBuildProgram = build;
  table.clGetProgramInfo = get_program_info;
  table.clGetProgramBuildInfo = get_build_info;
  table.clCreateKernel = create_kernel;
  table.clRetainKernel = [](cl_kernel object) { return retain(object); };
  table.clReleaseKernel = [](cl_kernel object) { return release(object); };
  table.clSetKernelArg = set_argument;
  table.clGetKernelInfo = get_kernel_info;
  table.clGetKernelWorkGroupInfo = get_work_group_info;
}

}  // namespace fake
// NOLINTEND(readability-function-size)
