#include "covering.hpp"

#include <algorithm>
#include <set>

#include "case_data.hpp"

namespace clmx {
namespace {

constexpr int candidates = 16, tries = 60;

/// Choice a of parameter i with choice b of parameter j > i.
struct Pair {
  std::size_t i, j;
  int a, b;
};

class Covering {
 public:
  explicit Covering(const CoveringPlan& plan) : plan_(plan), random_(plan.seed) {
    for (const int count : plan.options) {
      first_.push_back(choices_);
      choices_ += static_cast<std::size_t>(count);
    }
    seen_.assign(choices_ * choices_, false);
    for (std::size_t i = 0; i < plan.options.size(); ++i)
      for (std::size_t j = i + 1; j < plan.options.size(); ++j)
        for (int a = 0; a < plan.options[i]; ++a)
          for (int b = 0; b < plan.options[j]; ++b) missing_.push_back({i, j, a, b});
  }

  std::vector<Choices> rows() {
    std::vector<Choices> rows;
    while (static_cast<int>(rows.size()) < plan_.most &&
           (!missing_.empty() || static_cast<int>(rows.size()) < plan_.least)) {
      const bool sought = !missing_.empty();
      const Choices row = best();
      if (row.empty() && !sought) break;
      if (row.empty()) continue;
      rows.push_back(row);
      taken_.insert(row);
      each_pair(row, [&](std::size_t at) { seen_[at] = true; });
      std::erase_if(missing_, [&](const Pair& pair) { return seen_[place(pair)]; });
    }
    return rows;
  }

 private:
  int pick(std::size_t count) {
    return static_cast<int>(random_.integer(0, static_cast<std::int64_t>(count) - 1));
  }

  std::size_t place(const Pair& pair) const {
    return (first_[pair.i] + static_cast<std::size_t>(pair.a)) * choices_ + first_[pair.j] +
           static_cast<std::size_t>(pair.b);
  }

  template <class Visit>
  void each_pair(const Choices& row, Visit visit) const {
    for (std::size_t i = 0; i < row.size(); ++i)
      for (std::size_t j = i + 1; j < row.size(); ++j) visit(place({i, j, row[i], row[j]}));
  }

  /// A random allowed row with the pair in it, if there is one to have, or none.
  Choices with(const Pair* pair) {
    for (int attempt = 0; attempt < tries; ++attempt) {
      Choices row;
      for (const int count : plan_.options) row.push_back(pick(static_cast<std::size_t>(count)));
      if (pair) {
        row[pair->i] = pair->a;
        row[pair->j] = pair->b;
      }
      if (!taken_.contains(row) && plan_.allows(row)) return row;
    }
    return {};
  }

  /// The row with most new pairs. A pair that no row has is given up.
  Choices best() {
    Choices best;
    int most = -1;
    for (int i = 0; i < candidates; ++i) {
      const bool seeks = !missing_.empty();
      const auto at = seeks ? static_cast<std::size_t>(pick(missing_.size())) : 0;
      const Choices row = with(seeks ? &missing_[at] : nullptr);
      if (row.empty() && seeks) missing_.erase(missing_.begin() + static_cast<std::ptrdiff_t>(at));
      if (row.empty()) continue;
      int fresh = 0;
      each_pair(row, [&](std::size_t pair) { fresh += seen_[pair] ? 0 : 1; });
      if (fresh <= most) continue;
      most = fresh;
      best = row;
    }
    return best;
  }

  const CoveringPlan& plan_;
  Random random_;
  std::size_t choices_ = 0;         ///< of all parameters
  std::vector<std::size_t> first_;  ///< of each parameter
  std::vector<bool> seen_;
  std::vector<Pair> missing_;
  std::set<Choices> taken_;
};

}  // namespace

std::vector<Choices> covering_rows(const CoveringPlan& plan) {
  return Covering(plan).rows();
}

}  // namespace clmx
