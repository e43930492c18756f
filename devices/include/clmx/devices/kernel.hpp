#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace clmx {

struct KernelState;

/// One file of a kernel library: its path relative to the library's root, and its text.
struct KernelSource {
  std::string_view name, text;
};

/// A set of OpenCL C files. Must outlive every use: libraries are static tables.
/// CLMX_KERNEL_DIR=DIR reads the same names from DIR instead.
struct KernelLibrary {
  std::string_view name;
  std::span<const KernelSource> files;
};

/// The value of a constant: an integer, or a symbol (a static string such as "f16").
/// Types of other layers join by a `ConstantValue to_constant(T)` found by argument-dependent
/// look-up.
struct ConstantValue {
  std::int64_t number = 0;
  std::string_view symbol;  ///< empty: the value is the number
  bool operator==(const ConstantValue&) const = default;
};
template <class T>
requires std::is_integral_v<T> ConstantValue to_constant(T value) {
  return {static_cast<std::int64_t>(value), {}};
}

/// Becomes -D name=value. Names are static strings.
struct Constant {
  template <class T>
  Constant(std::string_view constant_name, T constant_value)
      : name(constant_name), value(to_constant(constant_value)) {}
  std::string_view name;
  ConstantValue value;
  bool operator==(const Constant&) const = default;
};
using Constants = std::vector<Constant>;

/// What names a compiled kernel: library, file, entry point and the constants it is specialised on
/// (dtype, mode, bits, group size, tuning; never M, N, K). A cached look-up hashes the spec and
/// builds no string.
struct KernelSpec {
  const KernelLibrary& library;
  std::string_view file, entry;
  Constants constants;
};

/// A compiled kernel. A handle: cheap to copy, any thread may launch it.
class Kernel {
 public:
  explicit Kernel(std::shared_ptr<KernelState> state) : state_(std::move(state)) {}
  std::string_view entry() const;
  /// Largest work-group this kernel may be launched with on its device.
  std::size_t max_work_group_size() const;
  KernelState* state() const { return state_.get(); }

 private:
  std::shared_ptr<KernelState> state_;
};

/// The file with every `#include "..."` of the library put in once, with #line directives.
/// Throws KernelBuildError when a file is missing. `file` indices in #line are the order of
/// `files_used`.
struct FlatSource {
  std::string text;
  std::vector<std::string> files_used;
};
FlatSource flatten_source(const KernelLibrary& library, std::string_view file);

/// Global and local size in work-items, up to three dimensions. Local {0,0,0}: the driver chooses.
struct Grid {
  std::array<std::size_t, 3> global{1, 1, 1};
  std::array<std::size_t, 3> local{1, 1, 1};

  /// n work-items in work-groups of `group`; n is rounded up to a multiple (kernels check their
  /// bounds).
  static Grid linear(std::size_t n, std::size_t group) {
    return {{(n + group - 1) / group * group, 1, 1}, {group, 1, 1}};
  }
  /// x * y * z work-groups of `group` work-items along the first axis.
  static Grid groups(std::size_t x, std::size_t y = 1, std::size_t z = 1, std::size_t group = 1) {
    return {{x * group, y, z}, {group, 1, 1}};
  }
};

}  // namespace clmx
