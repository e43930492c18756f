#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "clmx/nn/module.hpp"

namespace clmx {

inline Array waves(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(0.37f * static_cast<float>(i));
  }
  return Array::from(values, shape);
}

inline void expect_near(const Array& got, const Array& wanted, float bound) {
  ASSERT_EQ(got.shape(), wanted.shape());
  const auto a = got.to_vector<float>(), b = wanted.to_vector<float>();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], bound) << i;
}

inline std::vector<std::string> names(const Module& module) {
  std::vector<std::string> result;
  for (const NamedArray& parameter : module.parameters()) result.push_back(parameter.name);
  return result;
}

}  // namespace clmx
