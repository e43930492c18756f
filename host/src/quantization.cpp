#include "clmx/host/quantization.hpp"

#include <array>
#include <cstring>
#include <limits>
#include <ostream>
#include <utility>

#include "checks.hpp"
#include "quantized_checks.hpp"
#include "quantized_weight_state.hpp"

namespace clmx {
namespace {

struct ModeDefaults {
  QuantizationMode mode;
  std::string_view name;
  int group_size, bits;
};
constexpr std::array<ModeDefaults, 4> modes{{{QuantizationMode::affine, "affine", 64, 4},
                                             {QuantizationMode::mxfp4, "mxfp4", 32, 4},
                                             {QuantizationMode::mxfp8, "mxfp8", 32, 8},
                                             {QuantizationMode::nvfp4, "nvfp4", 16, 4}}};

const ModeDefaults& defaults_of(QuantizationMode mode) {
  const auto at = static_cast<std::size_t>(mode);
  require(at < modes.size(), "quantization mode", "there is no mode of number ",
          static_cast<int>(mode));
  return modes[at];
}

/// The same axis-0 blocks one below the other, as host bytes.
Array stack_rows(std::span<const QuantizedWeight> parts,
                 const Array& (*part)(const QuantizedWeight&)) {
  std::vector<std::byte> bytes;
  std::int64_t rows = 0;
  for (const QuantizedWeight& weight : parts) {
    const HostBytes mapped = part(weight).map_bytes();
    bytes.insert(bytes.end(), mapped.bytes.begin(), mapped.bytes.end());
    rows += weight.out_features();
  }
  const Array& first = part(parts.front());
  return Array::wrap(HostBytes::own(std::move(bytes)), {rows, first.shape(1)}, first.dtype());
}

const Array& packed_of(const QuantizedWeight& w) {
  return w.packed();
}
const Array& scales_of(const QuantizedWeight& w) {
  return w.scales();
}
const Array& biases_of(const QuantizedWeight& w) {
  return *w.biases();
}

void check_alike(const QuantizedWeight& a, const QuantizedWeight& b) {
  constexpr const char* op = "concatenate";
  require_matrix(a, op);
  require_matrix(b, op);
  require(!a.global_scale() && !b.global_scale(), op,
          "weights with a global_scale have no common one");
  require(a.in_features() == b.in_features(), op, "widths differ: ", a.in_features(), " and ",
          b.in_features());
  const QuantizationParams &p = a.params(), &q = b.params();
  require(p.mode == q.mode && p.group() == q.group() && p.bit_count() == q.bit_count(), op,
          "parameters differ: ", p.mode, ' ', p.bit_count(), '/', p.group(), " and ", q.mode, ' ',
          q.bit_count(), '/', q.group());
  require(a.scales().dtype() == b.scales().dtype() &&
              (!a.biases() || a.biases()->dtype() == b.biases()->dtype()),
          op, "dtypes of scales or biases differ");
}

}  // namespace

std::string_view to_string(QuantizationMode mode) {
  return defaults_of(mode).name;
}

std::ostream& operator<<(std::ostream& out, QuantizationMode mode) {
  return out << to_string(mode);
}

QuantizationMode mode_from_string(std::string_view name, std::string_view op) {
  for (const ModeDefaults& entry : modes)
    if (entry.name == name) return entry.mode;
  throw ArgumentError(
      join('[', op, "] unknown quantization mode \"", name, "\": affine, mxfp4, mxfp8 or nvfp4"));
}

int QuantizationParams::group() const {
  return group_size.value_or(defaults_of(mode).group_size);
}

int QuantizationParams::bit_count() const {
  return bits.value_or(defaults_of(mode).bits);
}

void check_supported(const QuantizationParams& params, std::string_view op) {
  const int group = params.group(), bits = params.bit_count();
  if (params.mode == QuantizationMode::affine) {
    const bool known = (bits >= 1 && bits <= 6) || bits == 8;
    const bool grouped = group == 16 || group == 32 || group == 64 || group == 128;
    require(known && grouped, op,
            "affine has 1, 2, 3, 4, 5, 6 or 8 bits and group size 16, 32, 64 "
            "or 128, not ",
            bits, " bits and group size ", group);
    return;
  }
  const ModeDefaults& only = defaults_of(params.mode);
  require(bits == only.bits && group == only.group_size, op, params.mode, " has ", only.bits,
          " bits and group size ", only.group_size, ", not ", bits, " bits and group size ", group);
}

QuantizedWeight::QuantizedWeight(Array packed, Array scales, std::optional<Array> biases,
                                 const QuantizationParams& params,
                                 std::optional<Array> global_scale) {
  constexpr const char* op = "QuantizedWeight";
  check_quantized(packed, scales, biases, params, BiasColumns::one_per_group, op);
  const std::int64_t rows = packed.shape().elements(0, packed.rank() - 1);
  check_global_scale(global_scale, params, packed.shape().elements(0, packed.rank() - 2), op);
  constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max();
  require(rows <= limit && quantized_width(packed, params) <= limit, op, rows, " rows of ",
          quantized_width(packed, params), " elements: more than 2^31 - 1 on an axis");
  state_ = std::make_shared<QuantizedWeightState>();
  state_->packed = std::move(packed);
  state_->scales = std::move(scales);
  state_->biases = std::move(biases);
  state_->global_scale = std::move(global_scale);
  state_->params = {params.mode, params.group(), params.bit_count()};
}

Shape QuantizedWeight::batch() const {
  return state_->packed.shape().slice(0, state_->packed.rank() - 2);
}

std::int64_t QuantizedWeight::out_features() const {
  return state_->packed.shape(-2);
}

std::int64_t QuantizedWeight::in_features() const {
  return quantized_width(state_->packed, state_->params);
}

const Array& QuantizedWeight::packed() const {
  return state_->packed;
}

const Array& QuantizedWeight::scales() const {
  return state_->scales;
}

const std::optional<Array>& QuantizedWeight::biases() const {
  return state_->biases;
}

const std::optional<Array>& QuantizedWeight::global_scale() const {
  return state_->global_scale;
}

const QuantizationParams& QuantizedWeight::params() const {
  return state_->params;
}

std::size_t QuantizedWeight::bytes() const {
  return packed().bytes() + scales().bytes() + (biases() ? biases()->bytes() : 0) +
         (global_scale() ? global_scale()->bytes() : 0);
}

QuantizedWeight QuantizedWeight::concatenate(std::span<const QuantizedWeight> parts) {
  require(!parts.empty(), "concatenate", "there is no weight to concatenate");
  for (const QuantizedWeight& part : parts) check_alike(parts.front(), part);
  std::optional<Array> biases;
  if (parts.front().biases()) biases = stack_rows(parts, biases_of);
  return {stack_rows(parts, packed_of), stack_rows(parts, scales_of), biases,
          parts.front().params()};
}

}  // namespace clmx
