#include "host_indices.hpp"

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

template <Element T>
std::vector<std::int64_t> widened(const Array& indices) {
  const HostView<T> values = indices.map<T>();
  return {values.begin(), values.end()};
}

}  // namespace

std::vector<std::int64_t> host_indices(const Array& indices) {
  switch (indices.dtype()) {
    case DType::i32:
      return widened<std::int32_t>(indices);
    case DType::u32:
      return widened<std::uint32_t>(indices);
    default:
      return widened<std::uint8_t>(indices);
  }
}

void check_host_rows(const Array& rows, std::int64_t count, std::string_view table,
                     std::string_view op) {
  if (rows.home()) return;
  for (const std::int64_t row : host_indices(rows))
    require(-count <= row && row < count, op, "row ", row, " is not in a ", table, " of ", count,
            " rows");
}

}  // namespace clmx
