#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "clmx/host/array.hpp"

namespace clmx {

/// The elements of an i32, u32 or u8 array.
std::vector<std::int64_t> host_indices(const Array& indices);

/// Throws ArgumentError unless all rows that the host holds are within [-count, count); those that
/// a device computes are left to the kernel.
void check_host_rows(const Array& rows, std::int64_t count, std::string_view table,
                     std::string_view op);

}  // namespace clmx
