#pragma once

#include <string_view>

#include "faults.hpp"
#include "objects.hpp"

namespace fake {

/// Each file of the API puts its functions into the loader's table.
void add_platform_functions(cl_icd_dispatch& table);
void add_object_functions(cl_icd_dispatch& table);
void add_program_functions(cl_icd_dispatch& table);
void add_queue_functions(cl_icd_dispatch& table);

const std::vector<cl_device_id>& all_devices();

/// The answer to a query, by OpenCL's rules about sizes.
inline cl_int answer(const void* value, std::size_t bytes, std::size_t room, void* to,
                     std::size_t* size) {
  if (size != nullptr) *size = bytes;
  if (to == nullptr) return CL_SUCCESS;
  if (room < bytes) return CL_INVALID_VALUE;
  std::memcpy(to, value, bytes);
  return CL_SUCCESS;
}
template <class T>
cl_int answer(const T& value, std::size_t room, void* to, std::size_t* size) {
  // A handle is answered as the pointer it is. NOLINTNEXTLINE(bugprone-sizeof-expression)
  return answer(&value, sizeof value, room, to, size);
}
inline cl_int answer(const std::string& text, std::size_t room, void* to, std::size_t* size) {
  return answer(text.c_str(), text.size() + 1, room, to, size);
}

/// What a creating function returns: made by `make` unless the call has to fail.
template <class Make>
auto create(const char* call, cl_int* status, Make make) -> decltype(make()) {
  const cl_int code = fault(call);
  if (status != nullptr) *status = code;
  return code == CL_SUCCESS ? make() : nullptr;
}

template <class T>
cl_int retain(T* object) {
  object->retain();
  return CL_SUCCESS;
}

}  // namespace fake
