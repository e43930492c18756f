#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "clmx/devices/device.hpp"
#include "error_measure.hpp"

namespace clmx {

/// One case on one device.
struct ComparedCase {
  std::string op, name;
  ErrorMeasure error;
  std::string failure = {};  ///< what is wrong: an error beyond its budget, a shape, an exception
  std::int64_t index = 0;    ///< of the first wrong element, which is `got` and should be `wanted`
  double got = 0, wanted = 0;
  std::string digest = {};   ///< XXH3-128 of all outputs, 32 hexadecimal digits
  std::string differs = {};  ///< the device whose bits are others, if any
  bool may_differ = false;   ///< has subnormal numbers, which some devices flush
};

struct ComparedDevice {
  std::string id, selector, name;
  std::vector<ComparedCase> cases;  ///< an emulated device runs the small ones
};

struct CompareOpsOptions {
  std::optional<std::string> op = {}, case_name = {};  ///< only these
  bool quick = false;          ///< only the cases of the self-check: each op, in a second or two
  bool full = false;           ///< the large and exhaustive cases as well
  std::uint64_t seed = 20260;  ///< of the data
  /// Called before each case.
  std::function<void(std::size_t done, std::size_t total, const std::string& name)> progress = {};
};

/// Runs the cases of all ops (host/cases) on each device and measures them against float64. Bits
/// are compared with those of the first device that ran the case. What a device does wrong is a
/// result, not an exception, unless it is lost. Throws ArgumentError when no case is of the wanted
/// names.
std::vector<ComparedDevice> compare_ops(std::span<const Device> devices,
                                        const CompareOpsOptions& options = {});

}  // namespace clmx
