#include "case_check.hpp"

#include <cmath>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

bool same_bits(double a, double b) {
  if (std::isnan(a) && std::isnan(b)) return true;
  return a == b && std::signbit(a) == std::signbit(b);
}

/// |got - value| in units of the allowed error. An infinite result stands for every value that
/// rounds to it.
double error_units(double got, double value, double allowed, DType dtype) {
  if (std::isnan(got) || std::isnan(value))
    return std::isnan(got) && std::isnan(value) ? 0 : INFINITY;
  if (got == value) return 0;
  if (std::isinf(got)) {
    const double reach = value + std::copysign(allowed, got);
    return rounded(dtype, reach) == got ? 0 : INFINITY;
  }
  const double error = std::abs(got - value);
  if (error <= allowed) return error / (allowed > 0 ? allowed : 1);
  return allowed > 0 ? error / allowed : INFINITY;
}

Verdict wrong(const std::string& what) {
  Verdict verdict;
  verdict.bit_equal = false;
  verdict.worst = INFINITY;
  verdict.mismatch = Mismatch{what, 0, 0, 0};
  return verdict;
}

}  // namespace

double rounding_error(DType dtype, double value) {
  const double magnitude = std::abs(value);
  switch (dtype) {
    case DType::f32:
      return 0x1p-24 * magnitude + 0x1p-150;
    case DType::f16:
      return (0x1p-11 + 0x1p-24) * magnitude + 0x1p-25;
    case DType::bf16:
      return (0x1p-8 + 0x1p-24) * magnitude + 0x1p-134;
    default:
      return 0;
  }
}

double rounded(DType dtype, double value) {
  return is_float(dtype) ? static_cast<double>(round_to(dtype, static_cast<float>(value))) : value;
}

double error_share(double got, const Expected& wanted, std::size_t i, bool exact) {
  const double value = wanted.values[i];
  if (exact || wanted.budget.empty())
    return same_bits(got, rounded(wanted.dtype, value)) ? 0 : INFINITY;
  const double budget = wanted.budget[i];
  const double allowed = budget + rounding_error(wanted.dtype, std::abs(value) + budget);
  return error_units(got, value, allowed, wanted.dtype);
}

Verdict check(const Array& got, const Expected& wanted, bool exact) {
  if (got.shape() != wanted.shape)
    return wrong(join("shape ", got.shape(), " instead of ", wanted.shape));
  if (got.dtype() != wanted.dtype)
    return wrong(join("dtype ", got.dtype(), " instead of ", wanted.dtype));
  const DoubleArray wide = widen(got);
  const bool bits = exact || wanted.budget.empty();
  Verdict verdict;
  for (std::size_t i = 0; i < wide.values.size(); ++i) {
    const double value = wanted.values[i], y = wide.values[i];
    const double stored = rounded(wanted.dtype, value);
    if (same_bits(y, stored)) continue;
    verdict.bit_equal = false;
    const double units = error_share(y, wanted, i, exact);
    verdict.worst = std::max(verdict.worst, units);
    if (units <= 1 || verdict.mismatch) continue;
    verdict.mismatch = Mismatch{bits ? "bits" : "error above its budget",
                                static_cast<std::int64_t>(i), y, bits ? stored : value};
  }
  return verdict;
}

Verdict check(const Outputs& got, const std::vector<Expected>& wanted, bool exact) {
  if (got.size() != wanted.size())
    return wrong(join(got.size(), " outputs instead of ", wanted.size()));
  Verdict all;
  for (std::size_t i = 0; i < got.size(); ++i) {
    Verdict one = check(got[i], wanted[i], exact);
    all.bit_equal = all.bit_equal && one.bit_equal;
    all.worst = std::max(all.worst, one.worst);
    if (!one.mismatch || all.mismatch) continue;
    all.mismatch = one.mismatch;
    if (got.size() > 1) all.mismatch->what = join("output ", i, ": ", one.mismatch->what);
  }
  return all;
}

std::vector<Expected> as_expected(const Outputs& outputs) {
  std::vector<Expected> all;
  for (const Array& output : outputs) {
    DoubleArray wide = widen(output);
    all.push_back({wide.shape, wide.dtype, std::move(wide.values), {}});
  }
  return all;
}

}  // namespace clmx
