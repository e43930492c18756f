#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>

namespace clmx {

/// Sizes per axis, outermost first; rank 0 is a scalar. At most 8 axes, no size negative and the
/// number of elements below 2^62: otherwise construction throws ArgumentError.
class Shape {
 public:
  static constexpr int max_rank = 8;
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes);
  explicit Shape(std::span<const std::int64_t> sizes);

  int rank() const { return rank_; }
  /// Negative axes count from the end. Throws ArgumentError out of range.
  std::int64_t operator[](int axis) const;
  std::int64_t elements() const;  ///< 1 for rank 0
  std::span<const std::int64_t> sizes() const {
    return {sizes_.data(), static_cast<std::size_t>(rank_)};
  }
  /// The same with one axis replaced.
  Shape with(int axis, std::int64_t size) const;
  /// The axes [begin, end).
  Shape slice(int begin, int end) const;
  /// The product of the axes [begin, end).
  std::int64_t elements(int begin, int end) const;

  bool operator==(const Shape& other) const;

 private:
  int checked_axis(int axis) const;
  std::array<std::int64_t, max_rank> sizes_{};
  int rank_ = 0;
};

/// "[2, 3]"
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// The axes of a, then those of b. Throws ArgumentError beyond max_rank.
Shape joined(const Shape& a, const Shape& b);

/// NumPy's rules; throws ArgumentError naming op when they do not fit.
Shape broadcast(const Shape& a, const Shape& b, const char* op);

}  // namespace clmx
