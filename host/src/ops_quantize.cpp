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

Array shown(const Array& w, const std::optional<Array>& global_scale,
            const QuantizationParams& params, const Array& packed) {
  return global_scale ? tapped(op, {w, *global_scale}, params, packed)
                      : tapped(op, {w}, params, packed);
}

}  // namespace

QuantizedArrays quantize_arrays(const Array& w, const QuantizationParams& params,
                                StreamOrDevice s) {
  return quantize_arrays(w, params, std::nullopt, s);
}

QuantizedArrays quantize_arrays(const Array& w, const QuantizationParams& params,
                                const std::optional<Array>& global_scale, StreamOrDevice s) {
  check_quantize(w, params, global_scale);
  const Stream stream = s.resolve();
  const DeviceAbilities& able = abilities(stream.device());
  QuantizedArrays out;
  if (able.exact_division && able.exact_denormals) {
    out = quantize_on_device(w, params, global_scale, stream);
  } else {
    out = quantize_on_host(w, params, global_scale);
    out.packed = on_device(out.packed, stream);
    out.scales = on_device(out.scales, stream);
    if (out.biases) out.biases = on_device(*out.biases, stream);
  }
  static_cast<void>(shown(w, global_scale, params, out.packed));
  return out;
}

QuantizedWeight quantize(const Array& w, const QuantizationParams& params, StreamOrDevice s) {
  return quantize(w, params, std::nullopt, s);
}

QuantizedWeight quantize(const Array& w, const QuantizationParams& params,
                         const std::optional<Array>& global_scale, StreamOrDevice s) {
  QuantizedArrays made = quantize_arrays(w, params, global_scale, s);
  return {std::move(made.packed), std::move(made.scales), std::move(made.biases), params,
          global_scale};
}

}  // namespace clmx
