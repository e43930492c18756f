#include "clmx/host/shape.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "clmx/devices/error.hpp"

namespace clmx {
namespace {

TEST(Shape, CountsNegativeAxesFromTheEnd) {
  const Shape shape{2, 3, 5};
  EXPECT_EQ(shape[-1], 5);
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(shape.elements(), 30);
  EXPECT_EQ(shape.elements(1, 3), 15);
  EXPECT_THROW(shape[3], ArgumentError);
  EXPECT_THROW(shape[-4], ArgumentError);
}

TEST(Shape, TellsAScalarFromAOneElementVector) {
  EXPECT_NE(Shape{}, (Shape{1}));
  EXPECT_EQ(Shape{}.elements(), 1);
}

TEST(Shape, RefusesNegativeSizesOverflowAndTooManyAxes) {
  EXPECT_THROW((Shape{2, -1}), ArgumentError);
  EXPECT_THROW((Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}), ArgumentError);
  EXPECT_THROW((Shape{0, std::int64_t{1} << 40, std::int64_t{1} << 40}), ArgumentError);
  EXPECT_THROW(Shape(std::vector<std::int64_t>(9, 1)), ArgumentError);
}

TEST(Shape, BroadcastsByNumPysRules) {
  EXPECT_EQ(broadcast(Shape{4, 1, 3}, Shape{2, 1}, "test"), (Shape{4, 2, 3}));
  EXPECT_EQ(broadcast(Shape{0, 3}, Shape{3}, "test"), (Shape{0, 3}));
  EXPECT_THROW(broadcast(Shape{2}, Shape{3}, "test"), ArgumentError);
}

}  // namespace
}  // namespace clmx
