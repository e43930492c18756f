#include "clmx/host/mpq.hpp"

#include <algorithm>
#include <utility>

#include "clmx/devices/error.hpp"
#include "mpq_sizes.hpp"

namespace clmx {
namespace {

void check_tensor(const Array& array, const char* name, DType dtype, const Shape& shape,
                  std::string_view op) {
  require(array.dtype() == dtype && array.shape() == shape, op, name, " is ", array.dtype(), ' ',
          array.shape(), ", wanted is ", dtype, ' ', shape);
}

void check_params(const MpqParams& params, const char* op) {
  const int bits = params.bits, group = params.group_size;
  require(bits == 2 || bits == 4 || bits == 8, op, "bits must be 2, 4 or 8, not ", bits);
  require(group == 32 || group == 64 || group == 128, op,
          "the group size must be 32, 64 or 128, not ", group);
}

MpqSizes check_qweight(const Array& qweight, const MpqParams& params, const char* op) {
  check_params(params, op);
  const int bits = params.bits, group = params.group_size;
  require(qweight.dtype() == DType::i32 && qweight.rank() == 2, op, "qweight is ", qweight.dtype(),
          ' ', qweight.shape(), ", wanted is an i32 matrix");
  const std::int64_t in = qweight.shape(0) * (32 / bits);
  require(in % group == 0, op, "the ", in, " inputs are no multiple of the group size ", group);
  return {in, qweight.shape(1), in / group};
}

/// qweight transposed: its columns are the rows of MLX's packing.
Array packed_rows(const Array& qweight) {
  const std::vector<std::int32_t> words = qweight.to_vector<std::int32_t>();
  const auto rows = static_cast<std::size_t>(qweight.shape(0));
  const auto columns = static_cast<std::size_t>(qweight.shape(1));
  std::vector<std::uint32_t> packed(words.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j)
      packed[j * rows + i] = static_cast<std::uint32_t>(words[i * columns + j]);
  }
  return Array::from(packed, Shape{qweight.shape(1), qweight.shape(0)});
}

/// [groups, out] values, given by f(group, channel), as [out, groups].
template <class T, class F>
Array by_channel(const MpqSizes& sizes, F f) {
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(sizes.out * sizes.groups));
  for (std::int64_t j = 0; j < sizes.out; ++j) {
    for (std::int64_t g = 0; g < sizes.groups; ++g)
      values.push_back(f(static_cast<std::size_t>(g), static_cast<std::size_t>(j)));
  }
  return Array::from(values, Shape{sizes.out, sizes.groups});
}

/// Codes of 4 bits with a zero and a scale per cell.
struct SecondLevel {
  std::vector<Half> zeros, scales;

  Half value(std::size_t cell, int code) const {
    const Half difference(static_cast<float>(code) - static_cast<float>(zeros[cell]));
    return Half(static_cast<float>(difference) * static_cast<float>(scales[cell]));
  }
};

Half negative(Half value) {
  value.bits = static_cast<std::uint16_t>(value.bits ^ 0x8000U);
  return value;
}

QuantizationParams affine(const MpqParams& params) {
  return {QuantizationMode::affine, params.group_size, params.bits};
}

/// Of MpqTensors or MpqWeight.
template <class Tensors>
void check_statistics(const Tensors& tensors, const MpqSizes& sizes, const char* op) {
  const Array& codes = tensors.qstatistic;
  require(codes.dtype() == DType::u8 && codes.rank() == 3 && codes.shape(0) == sizes.groups &&
              codes.shape(1) * codes.shape(2) == sizes.out,
          op, "qstatistic is ", codes.dtype(), ' ', codes.shape(), ", wanted is u8 of ",
          sizes.groups, " groups and ", sizes.out, " channels in all");
  const Shape cells{sizes.groups, codes.shape(1), 1};
  check_tensor(tensors.qscales_zeros, "qscales_zeros", DType::f16, cells, op);
  check_tensor(tensors.qscales_scales, "qscales_scales", DType::f16, cells, op);
  check_tensor(tensors.qzeros_zeros, "qzeros_zeros", DType::f16, cells, op);
  check_tensor(tensors.qzeros_scales, "qzeros_scales", DType::f16, cells, op);
}

/// Scales and zeros of every group and channel from their codes.
template <class Tensors>
std::pair<Array, Array> statistics_of(const Tensors& tensors, const MpqSizes& sizes) {
  const std::vector<std::uint8_t> codes = tensors.qstatistic.template to_vector<std::uint8_t>();
  const SecondLevel of_scales{tensors.qscales_zeros.template to_vector<Half>(),
                              tensors.qscales_scales.template to_vector<Half>()};
  const SecondLevel of_zeros{tensors.qzeros_zeros.template to_vector<Half>(),
                             tensors.qzeros_scales.template to_vector<Half>()};
  const auto out = static_cast<std::size_t>(sizes.out);
  const auto shared = static_cast<std::size_t>(tensors.qstatistic.shape(2));
  const auto at = [&](std::size_t g, std::size_t j) { return g * out + j; };
  return {by_channel<Half>(sizes,
                           [&](std::size_t g, std::size_t j) {
                             return of_scales.value(at(g, j) / shared, codes[at(g, j)] >> 4);
                           }),
          by_channel<Half>(sizes, [&](std::size_t g, std::size_t j) {
            return negative(of_zeros.value(at(g, j) / shared, codes[at(g, j)] & 15));
          })};
}

/// The scales of the asymmetric form, [groups, out].
Array asymmetric_scales(const AsymmetricMpqTensors& tensors, const MpqSizes& sizes,
                        const char* op) {
  const Array& qscales = tensors.qscales;
  const bool cells = qscales.rank() == 3;
  require(qscales.dtype() == DType::u8 && (cells || qscales.rank() == 2) &&
              qscales.shape(0) == sizes.groups && qscales.size() == sizes.groups * sizes.out,
          op, "qscales is ", qscales.dtype(), ' ', qscales.shape(), ", wanted is u8 of ",
          sizes.groups, " groups and ", sizes.out, " channels in all");
  const std::int64_t columns =
      tensors.qscales_zeros.size() / std::max<std::int64_t>(sizes.groups, 1);
  const bool per_channel = tensors.qscales_zeros.shape() == Shape{1, sizes.out, 1};
  require(per_channel || (columns > 0 && sizes.out % columns == 0), op, "qscales_zeros has shape ",
          tensors.qscales_zeros.shape(), ", which ", sizes.out, " channels cannot share");
  const Shape second = per_channel ? Shape{1, sizes.out, 1} : Shape{sizes.groups, columns, 1};
  check_tensor(tensors.qscales_zeros, "qscales_zeros", DType::f16, second, op);
  check_tensor(tensors.qscales_scales, "qscales_scales", DType::f16, second, op);
  const SecondLevel level{tensors.qscales_zeros.to_vector<Half>(),
                          tensors.qscales_scales.to_vector<Half>()};
  const std::vector<std::uint8_t> codes = qscales.to_vector<std::uint8_t>();
  const auto out = static_cast<std::size_t>(sizes.out);
  const std::size_t shared = per_channel ? 1 : out / static_cast<std::size_t>(columns);
  std::vector<Half> scales;
  for (std::size_t i = 0; i < codes.size(); ++i)
    scales.push_back(level.value(per_channel ? i % out : i / shared, codes[i]));
  return Array::from(scales, Shape{sizes.groups, sizes.out});
}

}  // namespace

MpqSizes sizes_of(const MpqWeight& w, const char* op) {
  check_params(w.params, op);
  const Array& packed = w.packed;
  require(packed.dtype() == DType::u32 && packed.rank() == 2 && packed.size() > 0, op, "packed is ",
          packed.dtype(), ' ', packed.shape(), ", wanted is a u32 matrix");
  const std::int64_t in = packed.shape(1) * (32 / w.params.bits);
  require(in % w.params.group_size == 0, op, "the ", in,
          " inputs are no multiple of the group size ", w.params.group_size);
  const MpqSizes sizes{in, packed.shape(0), in / w.params.group_size};
  check_statistics(w, sizes, op);
  return sizes;
}

QuantizedWeight unpack_mpq(const MpqTensors& tensors, const MpqParams& params) {
  constexpr const char* op = "unpack_mpq";
  const MpqSizes sizes = check_qweight(tensors.qweight, params, op);
  check_statistics(tensors, sizes, op);
  const auto [scales, biases] = statistics_of(tensors, sizes);
  return {packed_rows(tensors.qweight), scales, biases, affine(params)};
}

QuantizedWeight unpack_mpq(const AsymmetricMpqTensors& tensors, const MpqParams& params) {
  constexpr const char* op = "unpack_mpq";
  const MpqSizes sizes = check_qweight(tensors.qweight, params, op);
  const Array scales = asymmetric_scales(tensors, sizes, op);
  return unpack_gptq({tensors.qweight, tensors.qzeros, scales, std::nullopt}, params);
}

void require_plain_order(const Array& g_idx, std::int64_t in, int group_size, std::string_view op) {
  check_tensor(g_idx, "g_idx", DType::i32, Shape{in}, op);
  const std::vector<std::int32_t> groups = g_idx.to_vector<std::int32_t>();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    require(groups[i] == static_cast<std::int32_t>(i) / group_size, op, "g_idx puts input ", i,
            " into group ", groups[i], ": inputs in another order (act-order) are not supported");
  }
}

MpqWeight compact_mpq(const MpqTensors& tensors, const MpqParams& params) {
  constexpr const char* op = "compact_mpq";
  const MpqSizes sizes = check_qweight(tensors.qweight, params, op);
  require(sizes.in > 0 && sizes.out > 0, op, "qweight is empty: ", tensors.qweight.shape());
  check_statistics(tensors, sizes, op);
  return {packed_rows(tensors.qweight),
          tensors.qstatistic,
          tensors.qscales_zeros,
          tensors.qscales_scales,
          tensors.qzeros_zeros,
          tensors.qzeros_scales,
          params};
}

QuantizedWeight expand_mpq(const MpqWeight& weight) {
  const MpqSizes sizes = sizes_of(weight, "expand_mpq");
  const auto [scales, biases] = statistics_of(weight, sizes);
  return {weight.packed, scales, biases, affine(weight.params)};
}

QuantizedWeight unpack_gptq(const GptqTensors& tensors, const MpqParams& params) {
  constexpr const char* op = "unpack_gptq";
  const MpqSizes sizes = check_qweight(tensors.qweight, params, op);
  const int bits = params.bits;
  require(sizes.out % 32 == 0, op, "the ", sizes.out, " channels are no multiple of 32");
  check_tensor(tensors.scales, "scales", DType::f16, Shape{sizes.groups, sizes.out}, op);
  check_tensor(tensors.qzeros, "qzeros", DType::i32, Shape{sizes.groups, sizes.out / 32 * bits},
               op);
  if (tensors.g_idx) require_plain_order(*tensors.g_idx, sizes.in, params.group_size, op);
  const std::vector<Half> stored = tensors.scales.to_vector<Half>();
  const std::vector<std::int32_t> words = tensors.qzeros.to_vector<std::int32_t>();
  const auto out = static_cast<std::size_t>(sizes.out);
  const auto per = static_cast<std::size_t>(32 / bits);
  const Array scales =
      by_channel<Half>(sizes, [&](std::size_t g, std::size_t j) { return stored[g * out + j]; });
  const Array biases = by_channel<float>(sizes, [&](std::size_t g, std::size_t j) {
    const auto word = static_cast<std::uint32_t>(words[(g * out + j) / per]);
    const std::uint32_t zero =
        word >> (j % per * static_cast<std::size_t>(bits)) & ((std::uint32_t{1} << bits) - 1);
    return -static_cast<float>(stored[g * out + j]) * static_cast<float>(zero + 1);
  });
  return {packed_rows(tensors.qweight), scales, biases, affine(params)};
}

}  // namespace clmx
