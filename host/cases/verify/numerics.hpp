#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "clmx/devices/device.hpp"

namespace clmx {

/// Results that differ from the correctly rounded one.
struct Wrong {
  std::uint64_t count = 0, of = 0;
};

/// A built-in function against float64 on the host.
struct FunctionAccuracy {
  std::string name;
  double low = 0, high = 0;  ///< arguments: even spread in between
  double worst_ulp = 0;      ///< in units of the last place of an f32 at the true value
  double at = 0;             ///< the argument of the worst
  double allowed_ulp = 0;    ///< by OpenCL for the full profile
};

enum class Contraction { fused, separate, mixed };
std::string_view to_string(Contraction contraction);

/// How a device computes, by values.
struct Numerics {
  Contraction by_default = Contraction::mixed;  ///< a * b + c without a pragma
  Contraction mad = Contraction::mixed;
  Wrong fma;                                          ///< with finite results
  Wrong multiply_denormal, add_denormal;              ///< denormal operands and results
  Wrong exp_denormal, ldexp_denormal;                 ///< flushed to 0 where the true result is not
  Wrong divide, square_root;                          ///< normal operands and results
  Wrong store_half, store_half_rte;                   ///< f32 of all kinds but NaN
  Wrong load_half;                                    ///< all 65536 patterns
  bool nan_equals_itself = false;                     ///< wrongly
  bool min_drops_nan = false, max_drops_nan = false;  ///< fmin(NaN, 1) is 1, as OpenCL wants it
  std::uint64_t turns = 0, turns_tried = 0;  ///< of one loop; fewer when the device ends it
  std::vector<FunctionAccuracy> functions;
};

/// Measures, in a second or so. Throws KernelBuildError or DeviceError.
Numerics measure_numerics(const Device& device);

}  // namespace clmx
