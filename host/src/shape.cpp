#include "clmx/host/shape.hpp"

#include <algorithm>
#include <ostream>
#include <vector>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

constexpr std::int64_t most_elements = std::int64_t{1} << 62;

}  // namespace

Shape::Shape(std::initializer_list<std::int64_t> sizes)
    : Shape(std::span<const std::int64_t>(sizes.begin(), sizes.size())) {}

Shape::Shape(std::span<const std::int64_t> sizes) {
  require(sizes.size() <= max_rank, "shape", "at most ", max_rank, " axes are possible, not ",
          sizes.size());
  std::int64_t product = 1;
  for (std::int64_t size : sizes) {
    require(size >= 0, "shape", "axis ", rank_, " has the negative size ", size);
    // A zero elsewhere does not excuse an overflow: views may drop it.
    require(size == 0 || product <= most_elements / size, "shape", "more than 2^62 elements");
    product *= std::max<std::int64_t>(size, 1);
    sizes_[static_cast<std::size_t>(rank_++)] = size;
  }
}

int Shape::checked_axis(int axis) const {
  const int index = axis < 0 ? axis + rank_ : axis;
  require(index >= 0 && index < rank_, "shape", "axis ", axis, " of ", *this);
  return index;
}

std::int64_t Shape::operator[](int axis) const {
  return sizes_[static_cast<std::size_t>(checked_axis(axis))];
}

std::int64_t Shape::elements() const {
  return elements(0, rank_);
}

std::int64_t Shape::elements(int begin, int end) const {
  std::int64_t product = 1;
  for (int axis = begin; axis < end; ++axis) product *= sizes_[static_cast<std::size_t>(axis)];
  return product;
}

Shape Shape::with(int axis, std::int64_t size) const {
  std::array<std::int64_t, max_rank> sizes = sizes_;
  sizes[static_cast<std::size_t>(checked_axis(axis))] = size;
  return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(rank_)));
}

Shape Shape::slice(int begin, int end) const {
  require(0 <= begin && begin <= end && end <= rank_, "shape", "axes [", begin, ", ", end, ") of ",
          *this);
  return Shape(
      sizes().subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
}

bool Shape::operator==(const Shape& other) const {
  return std::ranges::equal(sizes(), other.sizes());
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int axis = 0; axis < shape.rank(); ++axis) out << (axis ? ", " : "") << shape[axis];
  return out << ']';
}

Shape joined(const Shape& a, const Shape& b) {
  std::vector<std::int64_t> sizes(a.sizes().begin(), a.sizes().end());
  sizes.insert(sizes.end(), b.sizes().begin(), b.sizes().end());
  return Shape(std::span<const std::int64_t>(sizes));
}

Shape broadcast(const Shape& a, const Shape& b, const char* op) {
  const int rank = std::max(a.rank(), b.rank());
  std::array<std::int64_t, Shape::max_rank> sizes{};
  for (int i = 1; i <= rank; ++i) {
    const std::int64_t m = i <= a.rank() ? a[-i] : 1;
    const std::int64_t n = i <= b.rank() ? b[-i] : 1;
    require(m == n || m == 1 || n == 1, op, "shapes ", a, " and ", b, " do not broadcast");
    sizes[static_cast<std::size_t>(rank - i)] = m == 1 ? n : m;
  }
  return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(rank)));
}

}  // namespace clmx
