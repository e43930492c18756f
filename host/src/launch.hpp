#pragma once

#include <any>
#include <array>
#include <initializer_list>
#include <span>
#include <string_view>

#include "clmx/host/array.hpp"
#include "clmx/host/tap.hpp"
#include "kernel_library.hpp"

namespace clmx {

inline KernelArgument kernel_argument(const Stream& stream, const Array& array) {
  return array.on(stream);
}
template <class T>
KernelArgument kernel_argument(const Stream&, const T& value) {
  return value;
}

/// Enqueues a kernel. An Array becomes its replica on the stream's device: two kernel arguments,
/// pointer and first element.
template <class... Args>
void launch(const Stream& stream, const Kernel& kernel, const Grid& grid, const Args&... args) {
  const std::array<KernelArgument, sizeof...(Args)> list{kernel_argument(stream, args)...};
  stream.launch(kernel, grid, std::span<const KernelArgument>(list));
}

/// Shows the op to the thread's tap, if there is one, and hands its output on.
template <class Options>
Array tapped(std::string_view name, std::initializer_list<Array> inputs, const Options& options,
             Array out) {
  if (Tap* tap = current_tap())
    tap->op(name, std::any(options), std::span<const Array>(inputs.begin(), inputs.size()), out);
  return out;
}

}  // namespace clmx
