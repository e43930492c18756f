#include "error_measure.hpp"

#include <algorithm>
#include <cmath>

#include "case_check.hpp"

namespace clmx {
namespace {

/// Bits of the significand, the least exponent of a normal number.
struct Format {
  int bits, least;
};

Format format_of(DType dtype) {
  if (dtype == DType::f16) return {11, -14};
  return {dtype == DType::bf16 ? 8 : 24, -126};
}

/// A unit in the last place of a stored value; 1 for integers.
double unit_in_last_place(DType dtype, double stored) {
  if (!is_float(dtype)) return 1;
  const Format format = format_of(dtype);
  const int exponent = stored == 0 ? format.least : std::max(std::ilogb(stored), format.least);
  return std::ldexp(1.0, exponent - format.bits + 1);
}

double ulps_between(DType dtype, double got, double stored) {
  if (got == stored || (std::isnan(got) && std::isnan(stored))) return 0;
  if (!std::isfinite(got) || !std::isfinite(stored)) return INFINITY;
  return std::abs(got - stored) / unit_in_last_place(dtype, stored);
}

std::size_t bin_of(double ulps) {
  if (ulps == 0) return 0;
  if (!(ulps <= 1024)) return ErrorMeasure::bins - 1;
  const int power = std::max(static_cast<int>(std::ceil(std::log2(ulps))), 0);
  return static_cast<std::size_t>(power) + 1;
}

/// A share that can be added up: what is wrong without measure counts as a thousand budgets.
double bounded(double share) {
  return std::isfinite(share) ? share : std::copysign(1000.0, share);
}

}  // namespace

void ErrorMeasure::add(const Array& got, const Expected& wanted, bool exact) {
  add(widen(got), wanted, exact);
}

void ErrorMeasure::add(const DoubleArray& wide, const Expected& wanted, bool exact) {
  for (std::size_t i = 0; i < wide.values.size(); ++i)
    add_element(wide.values[i], wanted, i, exact);
}

void ErrorMeasure::add_element(double got, const Expected& wanted, std::size_t i, bool exact) {
  ++elements_;
  const double value = wanted.values[i], stored = rounded(wanted.dtype, value);
  const double ulps = ulps_between(wanted.dtype, got, stored);
  ++ulps_[bin_of(ulps)];
  max_ulp_ = std::max(max_ulp_, ulps);
  if (std::isfinite(got) && std::isfinite(value)) {
    Squares& squares = squares_[static_cast<std::size_t>(wanted.dtype)];
    squares.error += (got - value) * (got - value);
    squares.wanted += value * value;
  }
  const double share = error_share(got, wanted, i, exact);
  worst_ = std::max(worst_, share);
  shares_ += bounded(share);
  signed_shares_ += got < value ? -bounded(share) : bounded(share);
  if (wanted.units > 0 && std::isfinite(got)) add_sum(std::abs(got - value), wanted, i);
}

void ErrorMeasure::add_sum(double error, const Expected& wanted, std::size_t i) {
  const double magnitude = wanted.budget[i] / (wanted.units * 0x1p-24);
  magnitudes_ += magnitude;
  sums_ += std::abs(wanted.values[i]);
  const double rest = error - rounding_error(wanted.dtype, wanted.values[i]);
  if (rest <= 0) return;
  const double allowed = (4 + 1.25 * std::sqrt(static_cast<double>(wanted.chain))) * 0x1p-24;
  worst_of_chain_ = std::max(worst_of_chain_, rest / (allowed * magnitude));
}

double ErrorMeasure::nmse(DType dtype) const {
  const Squares& squares = squares_[static_cast<std::size_t>(dtype)];
  const double own = squares.wanted > 0 ? squares.error / squares.wanted : 0;
  return std::max(squares.worst, own);
}

double ErrorMeasure::nmse() const {
  double largest = 0;
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16})
    largest = std::max(largest, nmse(dtype));
  return largest;
}

void ErrorMeasure::add(const ErrorMeasure& other) {
  elements_ += other.elements_;
  worst_ = std::max(worst_, other.worst_);
  shares_ += other.shares_;
  signed_shares_ += other.signed_shares_;
  for (std::size_t i = 0; i < squares_.size(); ++i) {
    squares_[i].worst = std::max(squares_[i].worst, other.nmse(static_cast<DType>(i)));
  }
  for (std::size_t i = 0; i < bins; ++i) ulps_[i] += other.ulps_[i];
  max_ulp_ = std::max(max_ulp_, other.max_ulp_);
  magnitudes_ += other.magnitudes_;
  sums_ += other.sums_;
  worst_of_chain_ = std::max(worst_of_chain_, other.worst_of_chain_);
}

}  // namespace clmx
