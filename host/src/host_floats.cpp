#include "host_floats.hpp"

#include <algorithm>

namespace clmx {
namespace {

template <Element T>
std::vector<float> widened(const Array& array) {
  const std::vector<T> values = array.to_vector<T>();
  std::vector<float> wide(values.size());
  std::ranges::transform(values, wide.begin(), [](T v) { return static_cast<float>(v); });
  return wide;
}

template <Element T>
Array narrowed(const std::vector<float>& values, const Shape& shape) {
  std::vector<T> narrow(values.size());
  std::ranges::transform(values, narrow.begin(), [](float v) { return static_cast<T>(v); });
  return Array::from(narrow, shape);
}

}  // namespace

std::vector<float> host_floats(const Array& array) {
  if (array.dtype() == DType::f16) return widened<Half>(array);
  if (array.dtype() == DType::bf16) return widened<BFloat16>(array);
  return array.to_vector<float>();
}

Array host_array(const std::vector<float>& values, const Shape& shape, DType dtype) {
  if (dtype == DType::f16) return narrowed<Half>(values, shape);
  if (dtype == DType::bf16) return narrowed<BFloat16>(values, shape);
  return Array::from(values, shape);
}

}  // namespace clmx
