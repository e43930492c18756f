#include "clmx/host/ops_quantized.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "checks.hpp"
#include "clmx/devices/error_word.hpp"
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
                               DType arithmetic, DType result) {
  return {{"MODE", static_cast<int>(params.mode)},
          {"BITS", params.bit_count()},
          {"GROUP", params.group()},
          {"S", w.scales.dtype()},
          {"B", w.biases ? w.biases->dtype() : w.scales.dtype()},
          {"T", arithmetic},
          {"Y", result}};
}

/// UNIT of cl/common/unpack.clh: the shortest runs of codes that fill whole words.
std::size_t units_of(const Array& packed, const QuantizationParams& params) {
  const int bits = params.bit_count();
  return static_cast<std::size_t>(packed.shape(-1)) /
         static_cast<std::size_t>(bits / std::gcd(bits, 32));
}

Array dequantize_on_device(const QuantizedArrays& w, const QuantizationParams& params,
                           DType arithmetic, DType result, const Stream& stream) {
  const std::int64_t width = quantized_width(w.packed, params);
  Array out = Array::empty(w.packed.shape().with(-1, width), result, stream);
  if (out.size() == 0) return out;
  Constants constants = dequantize_constants(w, params, arithmetic, result);
  constants.emplace_back("INDEX", DType::i32);
  const Kernel kernel =
      stream.device().kernel({kernels(), "dequantize.cl", "dequantize", std::move(constants)});
  const auto rows = static_cast<std::size_t>(out.size() / width);
  const Array& biases = w.biases ? *w.biases : w.scales;
  launch(stream, kernel, Grid::groups(units_of(w.packed, params), rows), w.packed, w.scales, biases,
         out, static_cast<std::int32_t>(width), static_cast<std::int32_t>(biases.shape(-1)));
  return out;
}

QuantizedArrays arrays_of(const QuantizedWeight& w) {
  return {w.packed(), w.scales(), w.biases()};
}

/// The dtype of dequantized rows by default: the wider of scales and biases, or MLX's bf16.
DType stored_dtype(const QuantizedArrays& w) {
  return w.biases ? promote(w.scales.dtype(), w.biases->dtype()) : DType::bf16;
}

Array dequantize_checked(const QuantizedArrays& w, const QuantizationParams& params,
                         std::optional<DType> dtype, const StreamOrDevice& s) {
  const DType result = dtype.value_or(stored_dtype(w));
  require(is_float(result), "dequantize", "the result must be a float array, not ", result);
  const DType arithmetic = w.biases ? stored_dtype(w) : result;
  const Stream stream = s.resolve();
  const bool exact = abilities(stream.device()).exact_denormals;
  const Array out = exact
                        ? dequantize_on_device(w, params, arithmetic, result, stream)
                        : on_device(dequantize_on_host(w, params, arithmetic, result, {}), stream);
  const DequantizeOptions options{params, dtype};
  return w.biases ? tapped("dequantize", {w.packed, w.scales, *w.biases}, options, out)
                  : tapped("dequantize", {w.packed, w.scales}, options, out);
}

std::vector<std::int64_t> read_rows(const Array& rows) {
  std::vector<std::int64_t> values;
  if (rows.dtype() == DType::i32)
    for (const std::int32_t row : rows.to_vector<std::int32_t>()) values.push_back(row);
  else
    for (const std::uint32_t row : rows.to_vector<std::uint32_t>()) values.push_back(row);
  return values;
}

/// Throws unless all rows that the host holds are in range.
void check_rows(const Array& rows, std::int64_t count, std::string_view op) {
  if (rows.home()) return;
  for (const std::int64_t row : read_rows(rows))
    require(-count <= row && row < count, op, "row ", row, " of a weight with ", count, " rows");
}

Array gather_on_host(const Array& rows, const QuantizedWeight& w, DType arithmetic, DType result) {
  std::vector<std::int64_t> chosen = read_rows(rows);
  const std::int64_t count = w.out_features();
  for (std::int64_t& row : chosen) {
    require(-count <= row && row < count, "gather_dequantize", "row ", row, " of a weight with ",
            count, " rows");
    if (row < 0) row += count;
  }
  return dequantize_on_host(arrays_of(w), w.params(), arithmetic, result, chosen);
}

Array gather_on_device(const Array& rows, const QuantizedWeight& w, DType arithmetic, DType result,
                       const Stream& stream) {
  Array out = Array::empty({rows.size(), w.in_features()}, result, stream);
  Constants constants = dequantize_constants(arrays_of(w), w.params(), arithmetic, result);
  constants.emplace_back("INDEX", rows.dtype());
  const Kernel kernel = stream.device().kernel(
      {kernels(), "dequantize.cl", "gather_dequantize", std::move(constants)});
  const Grid grid =
      Grid::groups(units_of(w.packed(), w.params()), static_cast<std::size_t>(rows.size()));
  // Rows that the host holds have been checked.
  const bool computed = rows.home().has_value();
  const ErrorWord error = computed ? error_word(stream, "gather_dequantize") : ErrorWord{};
  for (const WeightRows& part : weight_rows(w, 0, stream))
    launch(stream, kernel, grid, rows, part.words, part.scales, part.biases.value_or(part.scales),
           out, static_cast<std::int32_t>(w.in_features()),
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
  check_quantized(w.packed, w.scales, w.biases, params, BiasColumns::may_broadcast, "dequantize");
  return dequantize_checked(w, params, dtype, s);
}

Array dequantize(const QuantizedWeight& w, std::optional<DType> dtype, StreamOrDevice s) {
  require(!w.global_scale(), "dequantize", "weights with a global_scale are not supported");
  return dequantize_checked(arrays_of(w), w.params(), dtype, s);
}

Array gather_dequantize(const Array& rows, const QuantizedWeight& w, std::optional<DType> dtype,
                        StreamOrDevice s) {
  constexpr const char* op = "gather_dequantize";
  require_index(rows, op, "rows");
  require_matrix(w, op);
  require(!w.global_scale(), op, "weights with a global_scale are not supported");
  const DType stored = stored_dtype(arrays_of(w)), result = dtype.value_or(stored);
  require(is_float(result), op, "the result must be a float array, not ", result);
  require(rows.size() == 0 || w.out_features() > 0, op, "the weight has no rows");
  check_rows(rows, w.out_features(), op);

  const Stream stream = s.resolve();
  const Shape shape = gathered_shape(rows.shape(), w.in_features());
  const DequantizeOptions options{w.params(), dtype};
  if (shape.elements() == 0) return Array::empty(shape, result, stream);
  const DType arithmetic = !w.biases() || result == DType::f32 ? result : stored;
  const Array flat = abilities(stream.device()).exact_denormals
                         ? gather_on_device(rows, w, arithmetic, result, stream)
                         : on_device(gather_on_host(rows, w, arithmetic, result), stream);
  const Array out = flat.reshape(shape);
  return w.biases() ? tapped(op, {rows, w.packed(), w.scales(), *w.biases()}, options, out)
                    : tapped(op, {rows, w.packed(), w.scales()}, options, out);
}

}  // namespace clmx
