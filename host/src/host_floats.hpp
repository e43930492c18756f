#pragma once

#include <vector>

#include "clmx/host/array.hpp"

namespace clmx {

/// The elements of a float array, widened.
std::vector<float> host_floats(const Array& array);

/// A host array of dtype (f32, f16 or bf16), every value rounded once.
Array host_array(const std::vector<float>& values, const Shape& shape, DType dtype);

}  // namespace clmx
