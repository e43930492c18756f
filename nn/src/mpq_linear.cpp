#include "clmx/nn/mpq_linear.hpp"

#include <vector>

#include "clmx/devices/error.hpp"
#include "clmx/host/ops_basic.hpp"
#include "clmx/host/ops_quantized.hpp"
#include "mpq_options.hpp"

namespace clmx {
namespace {

constexpr const char* layer = "MPQLinear";

void check_like(const Array& given, const TensorForm& wanted, const char* name) {
  require(given.dtype() == wanted.dtype && given.shape() == wanted.shape, layer, name, " is ",
          given.dtype(), ' ', given.shape(), ", wanted is ", wanted.dtype, ' ', wanted.shape);
}

MpqTensors symmetric(const MPQLinearTensors& t) {
  return {t.qweight,         *t.qstatistic,   *t.qscales_zeros,
          *t.qscales_scales, *t.qzeros_zeros, *t.qzeros_scales};
}

std::vector<Array> parts_of(const MpqWeight& w) {
  return {w.packed,         w.qstatistic,   w.qscales_zeros,
          w.qscales_scales, w.qzeros_zeros, w.qzeros_scales};
}

const char* name_of(MPQStatistics statistics) {
  return statistics == MPQStatistics::direct ? "direct" : "expanded";
}

}  // namespace

MPQLinear::MPQLinear(const MPQLinearOptions& options)
    : options_(resolved(options)), tensors_{Array::from(std::vector<std::int32_t>(1), Shape{1})} {
  check_parameters();
  tensors_ = initial_tensors(options_);
  tensors_.g_idx = initial_g_idx(options_);
}

MPQLinear::MPQLinear(const MPQLinearOptions& options, MPQLinearTensors tensors)
    : options_(resolved(options)), tensors_(std::move(tensors)) {
  check_parameters();
  check_tensors();
  if (!tensors_.g_idx) tensors_.g_idx = initial_g_idx(options_);
}

void MPQLinear::check_parameters() const {
  check_mpq_options(options_);
}

void MPQLinear::check_tensors() const {
  const TensorForms wanted = tensor_forms(options_);
  check_like(tensors_.qweight, wanted.at("qweight"), "qweight");
  for (const auto& [name, tensor] : mpq_members) {
    const std::optional<Array>& given = tensors_.*tensor;
    const auto form = wanted.find(name);
    require(form == wanted.end() || given, layer, name, " is missing");
    require(form != wanted.end() || !given, layer, name,
            " is given, but a layer of these options has none");
    if (given) check_like(*given, form->second, name);
  }
  if (tensors_.g_idx) check_extra("g_idx", *tensors_.g_idx);
}

void MPQLinear::check_extra(std::string_view name, const Array& value) const {
  if (name == "g_idx") require_plain_order(value, options_.in_channels, params().group_size, layer);
}

MpqParams MPQLinear::params() const {
  return {options_.w_bit, static_cast<int>(options_.group_size)};
}

QuantizedWeight MPQLinear::unpacked() const {
  const MPQLinearTensors& t = tensors_;
  if (!options_.use_gba_quant) return unpack_gptq({t.qweight, *t.qzeros, *t.scales}, params());
  if (!options_.asym) return unpack_mpq(symmetric(t), params());
  return unpack_mpq(
      AsymmetricMpqTensors{t.qweight, *t.qscales, *t.qscales_zeros, *t.qscales_scales, *t.qzeros},
      params());
}

void MPQLinear::prepare_params(bool keep_statistics) {
  if (!prepared()) {
    check_tensors();
    if (direct()) {
      compact_ = compact_mpq(symmetric(tensors_), params());
    } else {
      expanded_ = unpacked();
    }
  }
  if (!keep_statistics) release();
}

void MPQLinear::release() {
  tensors_ = {qweight(), {}, {}, {}, {}, {}, {}, {}, {}, {}, tensors_.bias};
  released_ = true;
}

void MPQLinear::require_stored(std::string_view op) const {
  require(!released_, op,
          "prepare_params released the tensors that files hold: do this before it, or prepare with "
          "keep_statistics");
}

void MPQLinear::require_prepared(std::string_view what) const {
  require(prepared(), layer, what,
          " needs prepare_params() (or prepare_layers of the model) first");
}

void MPQLinear::loaded() {
  expanded_.reset();
  compact_.reset();
  ignored_.reset();
  for (const auto& [name, tensor] : mpq_members) {
    std::optional<Array>& each = tensors_.*tensor;
    if (each && is_float(each->dtype()) && each->dtype() != DType::f16)
      each = Array::from(each->as_array<Half>(), each->shape());
  }
}

void MPQLinear::set_qweight_data(const Array& qweight) {
  require_stored("set_qweight_data");
  check_like(qweight, tensor_forms(options_).at("qweight"), "qweight");
  tensors_.qweight = qweight;
  loaded();
}

Array MPQLinear::qweight() const {
  if (expanded_) return expanded_->packed();
  return compact_ ? compact_->packed : tensors_.qweight;
}

QuantizedWeight MPQLinear::weight() const {
  return compact_ ? expand_mpq(*compact_) : *expanded_;
}

Array MPQLinear::scales() const {
  require_prepared("scales");
  return weight().scales();
}

Array MPQLinear::zeros() const {
  require_prepared("zeros");
  return *weight().biases();
}

std::int64_t MPQLinear::weight_bytes() const {
  require_prepared("weight_bytes");
  if (expanded_) return static_cast<std::int64_t>(expanded_->bytes());
  std::int64_t bytes = 0;
  for (const Array& part : parts_of(*compact_)) bytes += static_cast<std::int64_t>(part.bytes());
  return bytes;
}

void MPQLinear::copy_to(const Stream& stream) const {
  if (expanded_) copy_weight(*expanded_, stream);
  if (compact_) {
    for (const Array& part : parts_of(*compact_)) copy_array(part, stream);
  }
  if (tensors_.bias) copy_array(*tensors_.bias, stream);
}

Array MPQLinear::product(const Array& x, std::optional<DType> dtype, StreamOrDevice s) const {
  require_prepared("forward");
  require(is_float(x.dtype()), layer, "x must be a float array, not ", x.dtype());
  require(x.rank() > 0 && x.shape(-1) == options_.in_channels, layer, "x must have shape [..., ",
          options_.in_channels, "], not ", x.shape());
  const Array half = x.dtype() == DType::f16 ? x : cast(x, DType::f16, s);
  const DType result = dtype.value_or(DType::f16);
  if (compact_) return mpq_matmul(half, *compact_, tensors_.bias, result, s);
  return quantized_matmul(half, *expanded_, {.bias = tensors_.bias, .dtype = result}, s);
}

void MPQLinear::visit_released(Visitor& v) {
  v.parameter("qweight", tensors_.qweight);
  if (compact_) {
    v.parameter("qstatistic", compact_->qstatistic);
    v.parameter("qscales_zeros", compact_->qscales_zeros);
    v.parameter("qscales_scales", compact_->qscales_scales);
    v.parameter("qzeros_zeros", compact_->qzeros_zeros);
    v.parameter("qzeros_scales", compact_->qzeros_scales);
  } else {
    Array of_scales = scales(), of_zeros = zeros();
    v.parameter("scales", of_scales);
    v.parameter("zeros", of_zeros);
  }
  v.optional_parameter("bias", tensors_.bias);
}

void MPQLinear::visit(Visitor& v) {
  if (released_) return visit_released(v);
  v.parameter("qweight", tensors_.qweight);
  for (const auto& [name, tensor] : mpq_members) v.optional_parameter(name, tensors_.*tensor);
  v.extra("g_idx", tensors_.g_idx);
  // Buffers that the original writes and computes anew: shifts, and the expanded statistics.
  for (const char* name : {"wf", "zeros"}) v.extra(name, ignored_);
  if (!tensors_.scales) v.extra("scales", ignored_);
  if (!tensors_.bias) v.extra("bias", ignored_);
}

std::string MPQLinear::describe() const {
  const MPQLinearOptions& o = options_;
  const auto word = [](bool value) { return value ? "true" : "false"; };
  return join("MPQLinear(in_channels=", o.in_channels, ", out_channels=", o.out_channels,
              ", w_bit=", o.w_bit, ", group_size=", o.group_size,
              ", use_gba_quant=", word(o.use_gba_quant), ", asym=", word(o.asym),
              ", bias=", word(!o.disable_bias), ", statistics=", name_of(o.statistics),
              prepared() ? "" : ", not prepared", ")");
}

std::unique_ptr<Module> MPQLinear::to_dense(std::optional<DType> dtype, StreamOrDevice s) const {
  require_prepared("to_dense");
  return std::make_unique<Linear>(dequantize(weight(), dtype.value_or(DType::f16), s),
                                  tensors_.bias);
}

int prepare_layers(Module& root, bool keep_statistics) {
  std::vector<MPQLinear*> layers;
  root.walk([&](const std::string& path, Module& module) {
    auto* const found = dynamic_cast<MPQLinear*>(&module);
    if (found == nullptr) return;
    try {
      if (!found->prepared()) found->check_tensors();
    } catch (const ArgumentError& error) {
      throw ArgumentError(path.empty() ? error.what() : join("layer ", path, ": ", error.what()));
    }
    layers.push_back(found);
  });
  for (MPQLinear* const each : layers) each->prepare_params(keep_statistics);
  return static_cast<int>(layers.size());
}

}  // namespace clmx
