#include "row_parts.hpp"

#include <algorithm>

namespace clmx {

std::vector<RowRange> split_rows(std::int64_t rows, std::size_t row_bytes, std::size_t limit,
                                 std::int64_t multiple) {
  const auto fitting =
      static_cast<std::int64_t>(limit / std::max<std::size_t>(row_bytes, 1)) / multiple * multiple;
  const std::int64_t step = std::max(fitting, multiple);
  std::vector<RowRange> ranges;
  for (std::int64_t begin = 0; begin < rows; begin += step)
    ranges.push_back({begin, std::min(rows, begin + step)});
  return ranges;
}

std::vector<RowRange> row_parts(const Array& array, const Device& device, std::int64_t multiple) {
  const auto row_bytes =
      static_cast<std::size_t>(array.shape().elements(1, array.rank())) * size_of(array.dtype());
  return split_rows(array.shape(0), row_bytes, device.info().max_allocation_bytes, multiple);
}

}  // namespace clmx
