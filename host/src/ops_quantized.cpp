#include "clmx/host/ops_quantized.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "checks.hpp"
#include "clmx/devices/error_word.hpp"
#include "folded_scales.hpp"
#include "host_indices.hpp"
#include "host_quantize.hpp"
#include "launch.hpp"
#include "on_device.hpp"
#include "prepared_weight.hpp"
#include "probe.hpp"
#include "quantized_checks.hpp"

namespace clmx {
namespace {

/// What a dequantizing kernel is specialised on.
Constants dequantize_constants(const QuantizedArrays& w, const QuantizationParams& params,
                               const DequantizeRounding& rounding, DType result) {
  return {{"MODE", static_cast<int>(params.mode)},
          {"BITS", params.bit_count()},
          {"GROUP", params.group()},
          {"S", w.scales.dtype()},
          {"B", w.biases ? w.biases->dtype() : w.scales.dtype()},
          {"P", rounding.product},
          {"T", rounding.sum},
          {"Y", result}};
}

/// UNIT of cl/common/unpack.clh: the shortest runs of codes that fill whole words.
std::size_t units_of(const Array& packed, const QuantizationParams& params) {
  const int bits = params.bit_count();
  return static_cast<std::size_t>(packed.shape(-1)) /
         static_cast<std::size_t>(bits / std::gcd(bits, 32));
}

Array dequantize_on_device(const QuantizedArrays& w, const QuantizationParams& params,
                           const DequantizeRounding& rounding, DType result, const Stream& stream) {
  const std::int64_t width = quantized_width(w.packed, params);
  Array out = Array::empty(w.packed.shape().with(-1, width), result, stream);
  if (out.size() == 0) return out;
  Constants constants = dequantize_constants(w, params, rounding, result);
  constants.emplace_back("INDEX", DType::i32);
  const Kernel kernel =
      stream.device().kernel({kernels(), "dequantize.cl", "dequantize", std::move(constants)});
  const auto rows = static_cast<std::size_t>(out.size() / width);
  const Array& biases = w.biases ? *w.biases : w.scales;
  launch(stream, kernel, Grid::groups(units_of(w.packed, params), rows), w.packed, w.scales, biases,
         out, static_cast<std::int32_t>(width), static_cast<std::int32_t>(biases.shape(-1)));
  return out;
}

/// The arrays that a weight's rows are computed from.
QuantizedArrays arrays_of(const QuantizedWeight& w) {
  return {w.packed(), folded_scales(w), w.biases()};
}

/// The dtype of dequantized rows by default: the wider of scales and biases, or MLX's bf16.
DType stored_dtype(const QuantizedWeight& w) {
  return w.biases() ? promote(w.scales().dtype(), w.biases()->dtype()) : DType::bf16;
}

/// What a Tap sees: the arrays as given.
Array shown(std::string_view op, std::vector<Array> inputs, const QuantizedArrays& stored,
            const std::optional<Array>& global_scale, const DequantizeOptions& options,
            const Array& out) {
  Tap* tap = current_tap();
  if (!tap) return out;
  inputs.insert(inputs.end(), {stored.packed, stored.scales});
  if (stored.biases) inputs.push_back(*stored.biases);
  if (global_scale) inputs.push_back(*global_scale);
  tap->op(op, std::any(options), inputs, out);
  return out;
}

/// As MLX rounds. f32 scales in a floating mode are products with a global scale: f32 throughout.
DequantizeRounding rounding_of(const QuantizedArrays& w, DType result) {
  if (w.biases) return {w.scales.dtype(), promote(w.scales.dtype(), w.biases->dtype())};
  const DType type = w.scales.dtype() == DType::f32 ? DType::f32 : result;
  return {type, type};
}

Array dequantize_checked(const QuantizedArrays& w, const DequantizeOptions& options,
                         const StreamOrDevice& s) {
  const DType result =
      options.dtype.value_or(w.biases ? rounding_of(w, DType::bf16).sum : DType::bf16);
  require(is_float(result), "dequantize", "the result must be a float array, not ", result);
  const DequantizeRounding rounding = rounding_of(w, result);
  const Stream stream = s.resolve();
  if (abilities(stream.device()).exact_denormals)
    return dequantize_on_device(w, options.params, rounding, result, stream);
  return on_device(dequantize_on_host(w, options.params, rounding, result, {}), stream);
}

Array dequantize_parts(const QuantizedArrays& w, const std::optional<Array>& global_scale,
                       const DequantizeOptions& options, const StreamOrDevice& s) {
  check_quantized(w.packed, w.scales, w.biases, options.params, BiasColumns::may_broadcast,
                  "dequantize");
  check_global_scale(global_scale, options.params,
                     w.packed.shape().elements(0, w.packed.rank() - 2), "dequantize");
  QuantizedArrays scaled = w;
  if (global_scale) scaled.scales = folded(*global_scale, w.scales);
  return shown("dequantize", {}, w, global_scale, options, dequantize_checked(scaled, options, s));
}

Array gather_on_host(const Array& rows, const QuantizedWeight& w,
                     const DequantizeRounding& rounding, DType result) {
  std::vector<std::int64_t> chosen = host_indices(rows);
  const std::int64_t count = w.out_features();
  for (std::int64_t& row : chosen) {
    require(-count <= row && row < count, "gather_dequantize", "row ", row,
            " is not in a weight of ", count, " rows");
    if (row < 0) row += count;
  }
  return dequantize_on_host(arrays_of(w), w.params(), rounding, result, chosen);
}

Array gather_on_device(const Array& rows, const QuantizedWeight& w,
                       const DequantizeRounding& rounding, DType result, const Stream& stream) {
  Array out = Array::empty({rows.size(), w.in_features()}, result, stream);
  const QuantizedArrays arrays = arrays_of(w);
  Constants constants = dequantize_constants(arrays, w.params(), rounding, result);
  constants.emplace_back("INDEX", rows.dtype());
  const Kernel kernel = stream.device().kernel(
      {kernels(), "dequantize.cl", "gather_dequantize", std::move(constants)});
  const Grid grid =
      Grid::groups(units_of(w.packed(), w.params()), static_cast<std::size_t>(rows.size()));
  // Rows that the host holds have been checked.
  const bool computed = rows.home().has_value();
  const ErrorWord error = computed ? error_word(stream, "gather_dequantize") : ErrorWord{};
  for (const WeightRows& part : weight_rows(w, 0, stream))
    launch(stream, kernel, grid, rows, part.words, arrays.scales.rows(part.begin, part.end),
           part.biases.value_or(part.scales), out, static_cast<std::int32_t>(w.in_features()),
           static_cast<std::int32_t>(w.out_features()), static_cast<std::int32_t>(part.begin),
           static_cast<std::int32_t>(part.count()), error.word, error.code);
  if (computed) look_for_errors(stream);
  return out;
}

Shape gathered_shape(const Shape& rows, std::int64_t width) {
  std::vector<std::int64_t> sizes(rows.sizes().begin(), rows.sizes().end());
  sizes.push_back(width);
  return Shape(std::span<const std::int64_t>(sizes));
}

}  // namespace

Array dequantize(const QuantizedArrays& w, const QuantizationParams& params,
                 std::optional<DType> dtype, StreamOrDevice s) {
  return dequantize_parts(w, {}, {params, dtype}, s);
}

Array dequantize(const QuantizedWeight& w, std::optional<DType> dtype, StreamOrDevice s) {
  const DequantizeOptions options{w.params(), dtype};
  const Array out = dequantize_checked(arrays_of(w), options, s);
  return shown("dequantize", {}, {w.packed(), w.scales(), w.biases()}, w.global_scale(), options,
               out);
}

// MLX's own signature. NOLINTNEXTLINE(readability-function-size)
Array dequantize(const Array& w, const Array& scales, const std::optional<Array>& biases,
                 std::optional<int> group_size, std::optional<int> bits, const ModeOrName& mode,
                 const std::optional<Array>& global_scale, std::optional<DType> dtype,
                 StreamOrDevice s) {
  const QuantizationParams params{mode.resolve("dequantize"), group_size, bits};
  return dequantize_parts({w, scales, biases}, global_scale, {params, dtype}, s);
}

Array gather_dequantize(const Array& rows, const QuantizedWeight& w, std::optional<DType> dtype,
                        StreamOrDevice s) {
  constexpr const char* op = "gather_dequantize";
  require_index(rows, op, "rows");
  require_matrix(w, op);
  const DType stored = stored_dtype(w), result = dtype.value_or(stored);
  require(is_float(result), op, "the result must be a float array, not ", result);
  require(rows.size() == 0 || w.out_features() > 0, op, "the weight has no rows");
  check_host_rows(rows, w.out_features(), "weight", op);

  const Stream stream = s.resolve();
  const Shape shape = gathered_shape(rows.shape(), w.in_features());
  const DequantizeOptions options{w.params(), dtype};
  if (shape.elements() == 0) return Array::empty(shape, result, stream);
  const QuantizedArrays arrays = arrays_of(w);
  const DequantizeRounding rounding = w.biases() && dtype == DType::f32
                                          ? DequantizeRounding{DType::f32, DType::f32}
                                          : rounding_of(arrays, result);
  const Array flat = abilities(stream.device()).exact_denormals
                         ? gather_on_device(rows, w, rounding, result, stream)
                         : on_device(gather_on_host(rows, w, rounding, result), stream);
  return shown(op, {rows}, {w.packed(), w.scales(), w.biases()}, w.global_scale(), options,
               flat.reshape(shape));
}

}  // namespace clmx
