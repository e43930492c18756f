#include "shadow_choice.hpp"

#include <algorithm>
#include <limits>
#include <span>

namespace clmx {
namespace {

using Ids = std::span<const double>;

/// The ids that are in one list only.
std::vector<std::int64_t> without(Ids ids, Ids others) {
  std::vector<std::int64_t> rest;
  for (const double id : ids) {
    if (std::ranges::find(others, id) == others.end())
      rest.push_back(static_cast<std::int64_t>(id));
  }
  return rest;
}

double margin_between(std::span<const double> values, const ChoiceFlip& flip) {
  double best = -std::numeric_limits<double>::infinity(), least = -best;
  for (const std::int64_t id : flip.wanted)
    best = std::max(best, values[static_cast<std::size_t>(id)]);
  for (const std::int64_t id : flip.got)
    least = std::min(least, values[static_cast<std::size_t>(id)]);
  return best - least;
}

}  // namespace

std::int64_t rows_in(const DoubleArray& x) {
  return x.shape[-1] == 0 ? 0 : x.shape.elements() / x.shape[-1];
}

std::vector<ChoiceFlip> flips_between(const DoubleArray& x, const std::vector<double>& got,
                                      const std::vector<double>& wanted) {
  std::vector<ChoiceFlip> flips;
  const auto rows = static_cast<std::size_t>(rows_in(x));
  const auto width = static_cast<std::size_t>(x.shape[-1]);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t each = got.size() / rows;
    const Ids own = Ids(got).subspan(row * each, each);
    const Ids exact = Ids(wanted).subspan(row * each, each);
    ChoiceFlip flip{.row = static_cast<std::int64_t>(row),
                    .got = without(own, exact),
                    .wanted = without(exact, own)};
    if (flip.got.empty()) continue;
    flip.margin = margin_between(std::span(x.values).subspan(row * width, width), flip);
    flips.push_back(std::move(flip));
  }
  return flips;
}

DoubleArray taken(const DoubleArray& rows, const std::vector<double>& ids, const Shape& shape) {
  DoubleArray out{shape, DType::f32, ids};
  const std::size_t each =
      ids.size() / static_cast<std::size_t>(std::max<std::int64_t>(rows_in(rows), 1));
  const auto width = static_cast<std::size_t>(rows.shape[-1]);
  for (std::size_t i = 0; i < ids.size(); ++i)
    out.values[i] = rows.values[i / each * width + static_cast<std::size_t>(ids[i])];
  return out;
}

}  // namespace clmx
