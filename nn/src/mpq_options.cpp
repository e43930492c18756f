#include "mpq_options.hpp"

#include <limits>
#include <string>
#include <vector>

#include "clmx/devices/error.hpp"
#include "random_values.hpp"

namespace clmx {
namespace {

/// Rules by what violates them.
class Rules {
 public:
  template <class... Parts>
  void want(bool holds, const Parts&... parts) {
    if (holds) return;
    if (!violated_.empty()) violated_ += "; ";
    violated_ += join(parts...);
  }
  const std::string& violated() const { return violated_; }

 private:
  std::string violated_;
};

/// An axis of a quantized weight; the sizes of all tensors are far from overflowing then.
constexpr std::int64_t most_channels = std::numeric_limits<std::int32_t>::max();
constexpr const char* channels_wanted = "positive and at most 2^31 - 1";

void check_sizes(const MPQLinearOptions& o, Rules& rules) {
  const std::int64_t k = o.in_channels, n = o.out_channels, group = o.group_size;
  rules.want(0 < k && k <= most_channels, "in_channels must be ", channels_wanted, ", not ", k);
  rules.want(0 < n && n <= most_channels, "out_channels must be ", channels_wanted, ", not ", n);
  const bool known = group == 32 || group == 64 || group == 128;
  rules.want(known, "group_size must be 32, 64 or 128, not ", group);
  rules.want(known || k % 32 == 0, "in_channels ", k, " must be a multiple of 32");
  rules.want(!known || k % group == 0, "in_channels ", k, " must be a multiple of group_size ",
             group);
  const bool packs_zeros = o.asym;
  rules.want(!packs_zeros || n % 32 == 0, "out_channels ", n,
             " must be a multiple of 32 for packed zero points (asym, GPTQ)");
}

void check_double_quantization(const MPQLinearOptions& o, Rules& rules) {
  if (!o.use_gba_quant) return;
  const std::int64_t n = o.out_channels, dq = o.dq_group_size;
  rules.want(n <= 0 || dq > 0, "dq_group_size must be positive or -1, not ", dq);
  rules.want(dq <= 0 || n % dq == 0, "dq_group_size ", dq, " must divide out_channels ", n);
  rules.want(o.dq_mode == 1 || o.dq_mode == 2, "dq_mode must be 1 or 2, not ", o.dq_mode);
  rules.want(o.dq_mode != 1 || (o.asym && o.w_bit == 2), "dq_mode 1 needs asym and w_bit 2");
}

Array values_of(const TensorForm& form) {
  if (form.dtype == DType::i32)
    return Array::from(host_values<std::int32_t>(form.shape, 0), form.shape);
  if (form.dtype == DType::u8)
    return Array::from(host_values<std::uint8_t>(form.shape, 0), form.shape);
  return Array::from(host_values(form.shape, Half(form.value)), form.shape);
}

Array filled(std::string_view name, const TensorForm& form) {
  try {
    return values_of(form);
  } catch (const ArgumentError& error) {
    throw ArgumentError(join("[MPQLinear] ", name, ": ", error.what()));
  }
}

Array group_indices(std::int64_t k, std::int64_t group_size) {
  std::vector<std::int32_t> groups = host_values<std::int32_t>(Shape{k}, 0);
  for (std::size_t i = 0; i < groups.size(); ++i)
    groups[i] = static_cast<std::int32_t>(static_cast<std::int64_t>(i) / group_size);
  return Array::from(groups, Shape{k});
}

void add_double_quantized(TensorForms& forms, const MPQLinearOptions& o, std::int64_t groups) {
  const std::int64_t n = o.out_channels, columns = n / o.dq_group_size;
  const Shape cells{groups, columns, 1}, codes{groups, columns, o.dq_group_size};
  const Shape of_scales = o.dq_mode == 1 ? Shape{1, n, 1} : cells;
  forms["qscales_zeros"] = {DType::f16, of_scales};
  forms["qscales_scales"] = {DType::f16, of_scales, 1};
  if (o.asym) {
    forms["qscales"] = {DType::u8, o.w_bit == 4 ? codes : Shape{groups, n}};
    return;
  }
  forms["qstatistic"] = {DType::u8, codes};
  forms["qzeros_zeros"] = {DType::f16, cells};
  forms["qzeros_scales"] = {DType::f16, cells, 1};
}

}  // namespace

MPQLinearOptions resolved(MPQLinearOptions options) {
  if (options.group_size == -1) options.group_size = options.in_channels;
  if (options.dq_group_size == -1) options.dq_group_size = options.out_channels;
  if (!options.use_gba_quant) options.asym = true;
  return options;
}

void check_mpq_options(const MPQLinearOptions& o) {
  Rules rules;
  rules.want(o.w_bit == 2 || o.w_bit == 4 || o.w_bit == 8, "w_bit must be 2, 4 or 8, not ",
             o.w_bit);
  rules.want(o.a_bit == 16, "a_bit must be 16, not ", o.a_bit);
  rules.want(o.dtype == DType::f16, "dtype must be f16, not ", o.dtype);
  check_sizes(o, rules);
  check_double_quantization(o, rules);
  rules.want(o.statistics == MPQStatistics::expanded || is_symmetric(o),
             "direct statistics need use_gba_quant without asym");
  require(rules.violated().empty(), "MPQLinear", rules.violated());
}

TensorForms tensor_forms(const MPQLinearOptions& o) {
  const std::int64_t k = o.in_channels, n = o.out_channels, groups = k / o.group_size;
  TensorForms forms{{"qweight", {DType::i32, Shape{k / 32 * o.w_bit, n}}}};
  if (!o.disable_bias) forms["bias"] = {DType::f16, Shape{n}};
  if (o.asym) forms["qzeros"] = {DType::i32, Shape{groups, n / 32 * o.w_bit}};
  if (o.use_gba_quant) {
    add_double_quantized(forms, o, groups);
  } else {
    forms["scales"] = {DType::f16, Shape{groups, n}, 1};
  }
  return forms;
}

MPQLinearTensors initial_tensors(const MPQLinearOptions& o) {
  const TensorForms forms = tensor_forms(o);
  MPQLinearTensors tensors{filled("qweight", forms.at("qweight"))};
  for (const auto& [name, tensor] : mpq_members) {
    if (const auto form = forms.find(name); form != forms.end())
      tensors.*tensor = filled(name, form->second);
  }
  return tensors;
}

Array initial_g_idx(const MPQLinearOptions& o) {
  return group_indices(o.in_channels, o.group_size);
}

}  // namespace clmx
