#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace clmx {

/// One choice per parameter, by number.
using Choices = std::vector<int>;

/// What rows of choices are drawn from.
struct CoveringPlan {
  std::vector<int> options;                    ///< how many there are of each parameter
  std::function<bool(const Choices&)> allows;  ///< combinations that make sense
  std::uint64_t seed = 1;
  int least = 0;     ///< rows at least
  int most = 10000;  ///< rows at most, though pairs be left
};

/// Rows in which every allowed pair of choices of two parameters occurs, the first rows covering as
/// much as rows can: each is the best of some random ones that contain a pair not seen yet. The
/// same from every compiler. No row comes twice; pairs for which no allowed row is found are left
/// out, and there are fewer than `least` where no more are found.
std::vector<Choices> covering_rows(const CoveringPlan& plan);

}  // namespace clmx
