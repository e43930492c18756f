#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "clmx/host/array.hpp"

namespace clmx {

/// MLX's quantization modes. The floating modes have the bits and group_size of the mode only, and
/// no biases: where an op takes or returns biases, there they are absent. What the numbers are and
/// how they are packed: docs/formats.md.
enum class QuantizationMode {
  affine,  ///< integer codes, code * scale + bias, scale and bias floats of the group. Bits 1, 2,
           ///< 3, 4, 5, 6, 8; group_size 32, 64, 128, and 16, which MLX lacks and GGUF has
  mxfp4,   ///< E2M1 elements (4-bit floats: sign, 2 bits of exponent, 1 of mantissa); 32 of them
           ///< share a scale, an 8-bit exponent (E8M0: the power of two 2^(byte - 127)). Made for
           ///< models that were trained in it; for others 4-bit affine usually is more accurate
  mxfp8,   ///< E4M3 elements (8-bit floats), 32 of them with an E8M0 scale
  nvfp4    ///< E2M1 elements, 16 of them with an E4M3 scale; one f32 global_scale for all, or none
};
std::string_view to_string(QuantizationMode mode);
std::ostream& operator<<(std::ostream& out, QuantizationMode mode);
/// Exact lower-case names. Throws ArgumentError on any other, naming op.
QuantizationMode mode_from_string(std::string_view name, std::string_view op);

/// A mode, or its exact name. The op that gets it throws ArgumentError on an unknown one.
class ModeOrName {
 public:
  ModeOrName(QuantizationMode mode)  // NOLINT(google-explicit-constructor)
      : name_(to_string(mode)) {}
  template <std::convertible_to<std::string_view> Name>
  ModeOrName(const Name& name) : name_(name) {}  // NOLINT(google-explicit-constructor)
  QuantizationMode resolve(std::string_view op) const { return mode_from_string(name_, op); }

 private:
  std::string_view name_;  // for the length of a call
};

/// Mode, group size and bits. Absent values take the mode's default: affine 64/4, mxfp4 32/4, mxfp8
/// 32/8, nvfp4 16/4; 0 counts as given.
struct QuantizationParams {
  QuantizationMode mode = QuantizationMode::affine;
  std::optional<int> group_size = {};
  std::optional<int> bits = {};
  int group() const;      ///< given or default
  int bit_count() const;  ///< given or default
};
/// Throws ArgumentError naming op unless clmx computes with these parameters.
void check_supported(const QuantizationParams& params, std::string_view op);

struct QuantizedWeightState;

/// A quantized matrix [out_features, in_features], or a stack of them (experts), groups along the
/// rows; checked once, here, never in a forward. A value: copies share everything, prepared device
/// layouts included.
class QuantizedWeight {
 public:
  /// packed: u32 [..., out, in * bits / 32]; scales: [..., out, in / group_size], float (affine) or
  /// u8 (floating modes); biases: as scales, in affine mode only. global_scale: f32, in nvfp4 only,
  /// one number of any shape or [matrices of the stack]; a group's scale then is scale *
  /// (global_scale / 2688), both in f32. Throws ArgumentError otherwise.
  QuantizedWeight(Array packed, Array scales, std::optional<Array> biases,
                  const QuantizationParams& params, std::optional<Array> global_scale = {});
  Shape batch() const;  ///< the axes before out: empty for a matrix
  std::int64_t out_features() const;
  std::int64_t in_features() const;
  const Array& packed() const;
  const Array& scales() const;
  const std::optional<Array>& biases() const;
  const std::optional<Array>& global_scale() const;
  const QuantizationParams& params() const;  ///< group_size and bits always given
  std::size_t bytes() const;                 ///< packed, scales, biases and global_scale together
  /// Rows of several weights of equal width and parameters, one below the other: fused projections.
  /// The rows' bits are untouched, so are the products'. Throws ArgumentError when they differ.
  static QuantizedWeight concatenate(std::span<const QuantizedWeight> parts);
  QuantizedWeightState* state() const { return state_.get(); }

 private:
  std::shared_ptr<QuantizedWeightState> state_;
};

}  // namespace clmx
