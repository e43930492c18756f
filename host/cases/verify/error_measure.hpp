#pragma once

#include <array>
#include <cstdint>

#include "op_case.hpp"

namespace clmx {

/// The errors of results against their float64 references, as sums over any number of results.
class ErrorMeasure {
 public:
  /// Adds a result. Its shape has to be the reference's.
  void add(const Array& got, const Expected& wanted, bool exact);
  void add(const DoubleArray& got, const Expected& wanted, bool exact);
  void add(const ErrorMeasure& other);

  std::int64_t elements() const { return elements_; }
  /// The largest error as a share of the element's budget (case_check.hpp); 1 is the limit.
  double worst() const { return worst_; }
  /// The mean of these shares: without sign, and with the sign of got - wanted, which tells a bias.
  double mean() const { return elements_ == 0 ? 0 : shares_ / static_cast<double>(elements_); }
  double signed_mean() const {
    return elements_ == 0 ? 0 : signed_shares_ / static_cast<double>(elements_);
  }
  /// Normalised mean squared error of the results of one dtype, sum (got - wanted)^2 / sum
  /// wanted^2; of measures added up the largest. 0 when there are none.
  double nmse(DType dtype) const;
  /// The largest of them.
  double nmse() const;
  /// Elements by their distance from the rounded reference in units of the last place of the
  /// result's dtype: 0, 1, 2, 3-4, 5-8, ... 513-1024, more. Infinities and NaN count as more
  /// unless they are wanted.
  static constexpr std::size_t bins = 13;
  const std::array<std::int64_t, bins>& ulps() const { return ulps_; }
  double max_ulp() const { return max_ulp_; }
  /// Of sums: sum of A over the sum of |wanted|, the condition number of summation; else 0.
  double condition() const { return sums_ > 0 ? magnitudes_ / sums_ : 0; }
  /// Of sums: the largest error, after half a unit of the result's last place is taken off, in
  /// units of 2^-24 A, as a share of 4 + 1.25 sqrt(chain): what one chain may cost, without the
  /// tree.
  double worst_of_chain() const { return worst_of_chain_; }

 private:
  void add_element(double got, const Expected& wanted, std::size_t i, bool exact);
  void add_sum(double error, const Expected& wanted, std::size_t i);

  std::int64_t elements_ = 0;
  double worst_ = 0, shares_ = 0, signed_shares_ = 0;
  struct Squares {
    double error = 0, wanted = 0;
    double worst = 0;  ///< ratio of a measure that was added
  };
  std::array<Squares, 6> squares_ = {};  // by dtype
  std::array<std::int64_t, bins> ulps_ = {};
  double max_ulp_ = 0;
  double magnitudes_ = 0, sums_ = 0, worst_of_chain_ = 0;
};

}  // namespace clmx
