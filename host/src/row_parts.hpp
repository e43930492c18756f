#pragma once

#include <cstdint>
#include <vector>

#include "clmx/host/array.hpp"

namespace clmx {

/// Neighbouring rows begin .. end - 1.
struct RowRange {
  std::int64_t begin = 0, end = 0;
  std::int64_t count() const { return end - begin; }
};

/// Ranges of `rows` neighbouring rows of row_bytes each: as few as keep within limit bytes,
/// beginning at multiples of `multiple`, to which the last may be padded. One row, or `multiple`,
/// at least: what does not fit even so is for the allocation to refuse.
std::vector<RowRange> split_rows(std::int64_t rows, std::size_t row_bytes, std::size_t limit,
                                 std::int64_t multiple = 1);

/// The rows of an array, split where it is larger than the device's largest allocation.
std::vector<RowRange> row_parts(const Array& array, const Device& device,
                                std::int64_t multiple = 1);

}  // namespace clmx
