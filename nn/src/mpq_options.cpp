#include "mpq_options.hpp"

#include <string>
#include <vector>

#include "clmx/devices/error.hpp"

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

void check_sizes(const MPQLinearOptions& o, Rules& rules) {
  const std::int64_t k = o.in_channels, n = o.out_channels, group = o.group_size;
  rules.want(k > 0, "in_channels must be positive, not ", k);
  rules.want(n > 0, "out_channels must be positive, not ", n);
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

Array zeros_of(DType dtype, const Shape& shape) {
  const auto size = static_cast<std::size_t>(shape.elements());
  if (dtype == DType::i32) return Array::from(std::vector<std::int32_t>(size), shape);
  if (dtype == DType::u8) return Array::from(std::vector<std::uint8_t>(size), shape);
  return Array::from(std::vector<Half>(size), shape);
}

Array halves_of_one(const Shape& shape) {
  return Array::from(std::vector<Half>(static_cast<std::size_t>(shape.elements()), Half(1.0F)),
                     shape);
}

Array group_indices(std::int64_t k, std::int64_t group_size) {
  std::vector<std::int32_t> groups;
  for (std::int64_t i = 0; i < k; ++i) groups.push_back(static_cast<std::int32_t>(i / group_size));
  return Array::from(groups, Shape{k});
}

void add_double_quantized(MPQLinearTensors& t, const MPQLinearOptions& o, std::int64_t groups) {
  const std::int64_t n = o.out_channels, columns = n / o.dq_group_size;
  const Shape cells{groups, columns, 1}, codes{groups, columns, o.dq_group_size};
  const Shape of_scales = o.dq_mode == 1 ? Shape{1, n, 1} : cells;
  t.qscales_zeros = zeros_of(DType::f16, of_scales);
  t.qscales_scales = halves_of_one(of_scales);
  if (o.asym) {
    t.qscales = zeros_of(DType::u8, o.w_bit == 4 ? codes : Shape{groups, n});
    return;
  }
  t.qstatistic = zeros_of(DType::u8, codes);
  t.qzeros_zeros = zeros_of(DType::f16, cells);
  t.qzeros_scales = halves_of_one(cells);
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

MPQLinearTensors initial_tensors(const MPQLinearOptions& o) {
  const std::int64_t k = o.in_channels, n = o.out_channels, groups = k / o.group_size;
  MPQLinearTensors t{zeros_of(DType::i32, Shape{k / 32 * o.w_bit, n})};
  t.g_idx = group_indices(k, o.group_size);
  if (!o.disable_bias) t.bias = zeros_of(DType::f16, Shape{n});
  if (o.asym) t.qzeros = zeros_of(DType::i32, Shape{groups, n / 32 * o.w_bit});
  if (o.use_gba_quant) {
    add_double_quantized(t, o, groups);
  } else {
    t.scales = halves_of_one(Shape{groups, n});
  }
  return t;
}

}  // namespace clmx
