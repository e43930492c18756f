#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "objects.hpp"

namespace fake {

struct Argument {
  Ref<_cl_mem> memory;
  std::array<std::byte, 8> bytes{};
};

/// A launch as a kernel function sees it.
struct Call {
  std::array<std::size_t, 3> global{1, 1, 1}, local{1, 1, 1};
  std::vector<Argument> arguments;
  std::string options;

  template <class T>
  T value(std::size_t index) const {
    T read{};
    std::memcpy(&read, arguments[index].bytes.data(), sizeof read);
    return read;
  }
  /// The buffer of argument `index`, from the element that the next argument names.
  template <class T>
  T* buffer(std::size_t index) const {
    return reinterpret_cast<T*>(arguments[index].memory->data) + value<std::uint64_t>(index + 1);
  }
  /// The number defined by -D name=, else `otherwise`.
  long constant(std::string_view name, long otherwise) const;
};

struct KernelFunction {
  std::string_view entry;
  std::size_t arguments, buffers;  // the first `buffers` pairs are (buffer, first element)
  void (*run)(const Call& call);
};

/// Whether argument `index` is a buffer.
inline bool is_buffer(const KernelFunction& function, std::size_t index) {
  return index < 2 * function.buffers && index % 2 == 0;
}
/// Null for a kernel that this driver does not know.
const KernelFunction* find_kernel(std::string_view entry);

}  // namespace fake

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): OpenCL's names
struct _cl_kernel : fake::Object {
  _cl_kernel(cl_program of, const fake::KernelFunction* to_run)
      : program(of), function(to_run), arguments(to_run->arguments) {}
  fake::Ref<_cl_program> program;
  const fake::KernelFunction* function;
  // Arguments belong to whoever sets them: two threads that share a kernel race, and should be
  // seen.
  std::vector<fake::Argument> arguments;
};
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
