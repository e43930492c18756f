#include <algorithm>
#include <numeric>
#include <utility>

#include "checks.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "host_quantize.hpp"
#include "launch.hpp"
#include "on_device.hpp"
#include "probe.hpp"
#include "quantized_checks.hpp"

namespace clmx {
namespace {

constexpr const char* op = "quantize";

/// RUN of cl/quantize.cl: whole groups that fill whole words.
std::int64_t run_length(const QuantizationParams& params) {
  return std::max(params.group(), 32 / std::gcd(params.bit_count(), 32));
}

QuantizedArrays empty_arrays(const Array& w, const QuantizationParams& params,
                             const Stream& stream) {
  const bool affine = params.mode == QuantizationMode::affine;
  const std::int64_t width = w.shape(-1);
  const Shape words = w.shape().with(-1, width * params.bit_count() / 32);
  const Shape per_group = w.shape().with(-1, width / params.group());
  QuantizedArrays out{Array::empty(words, DType::u32, stream),
                      Array::empty(per_group, affine ? w.dtype() : DType::u8, stream),
                      {}};
  if (affine) out.biases = Array::empty(per_group, w.dtype(), stream);
  return out;
}

QuantizedArrays quantize_on_device(const Array& w, const QuantizationParams& params,
                                   const std::optional<Array>& global_scale, const Stream& stream) {
  QuantizedArrays out = empty_arrays(w, params, stream);
  if (w.size() == 0) return out;
  const Constants constants{{"X", w.dtype()},
                            {"MODE", static_cast<int>(params.mode)},
                            {"BITS", params.bit_count()},
                            {"GROUP", params.group()},
                            {"GLOBAL", global_scale.has_value()}};
  const Kernel kernel = stream.device().kernel(
      {kernels(), "quantize.cl", out.biases ? "quantize_affine" : "quantize_floating", constants});
  const auto runs = static_cast<std::uint64_t>(w.size() / run_length(params));
  const Grid grid = Grid::linear(runs, std::min<std::size_t>(kernel.max_work_group_size(), 16));
  if (out.biases)
    launch(stream, kernel, grid, w, out.packed, out.scales, *out.biases, runs);
  else
    launch(stream, kernel, grid, w, out.packed, out.scales, global_scale.value_or(w), runs);
  return out;
}

void check_quantize(const Array& w, const QuantizationParams& params,
                    const std::optional<Array>& global_scale) {
  require_float(w, op, "w");
  require_rank_at_least(w, 2, op, "w");
  check_supported(params, op);
  check_global_scale(global_scale, params, 1, op);
  const std::int64_t width = w.shape(-1), bits = width * params.bit_count();
  require(width % params.group() == 0, op, "the rows of w have ", width,
          " elements, no multiple of the group size ", params.group());
  require(bits % 32 == 0, op, "the rows of w have ", width, " elements, with ", params.bit_count(),
          " bits no whole number of words of 32 bits");
}

QuantizedArrays made(const Array& w, const QuantizeOptions& options,
                     const std::optional<Array>& global_scale, const Stream& stream) {
  const DeviceAbilities& able = abilities(stream.device());
  const bool up = options.scale_rule == ScaleRule::round_up;
  if (up && able.exact_division && able.exact_denormals)
    return quantize_on_device(w, options.params, global_scale, stream);
  QuantizedArrays out = quantize_on_host(w, options, global_scale);
  out.packed = on_device(out.packed, stream);
  out.scales = on_device(out.scales, stream);
  if (out.biases) out.biases = on_device(*out.biases, stream);
  return out;
}

}  // namespace

QuantizedArrays quantize_arrays(const Array& w, const QuantizationParams& params,
                                StreamOrDevice s) {
  return quantize_arrays(w, QuantizeOptions{params}, {}, s);
}

QuantizedArrays quantize_arrays(const Array& w, const QuantizeOptions& options,
                                const std::optional<Array>& global_scale, StreamOrDevice s) {
  check_quantize(w, options.params, global_scale);
  QuantizedArrays out = made(w, options, global_scale, s.resolve());
  if (Tap* tap = current_tap()) {
    std::vector<Array> inputs{w};
    if (global_scale) inputs.push_back(*global_scale);
    tap->op(op, std::any(options), inputs, out.packed);
  }
  return out;
}

QuantizedWeight quantize(const Array& w, const QuantizationParams& params, StreamOrDevice s) {
  return quantize(w, QuantizeOptions{params}, {}, s);
}

QuantizedWeight quantize(const Array& w, const QuantizeOptions& options,
                         const std::optional<Array>& global_scale, StreamOrDevice s) {
  QuantizedArrays parts = quantize_arrays(w, options, global_scale, s);
  return {std::move(parts.packed), std::move(parts.scales), std::move(parts.biases), options.params,
          global_scale};
}

QuantizedArrays quantize(const Array& w, std::optional<int> group_size, std::optional<int> bits,
                         const ModeOrName& mode, const std::optional<Array>& global_scale,
                         StreamOrDevice s) {
  const QuantizationParams params{mode.resolve(op), group_size, bits};
  return quantize_arrays(w, QuantizeOptions{params}, global_scale, s);
}

}  // namespace clmx
