#include <cmath>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops.hpp"

namespace {

// NaN where there is one.
float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float here = std::fabs(a[i] - b[i]);
    if (!(here <= largest)) largest = here;
  }
  return largest;
}

}  // namespace

// As in mlx-swift: arrays quantized, multiplied and dequantized with a mode and a stream on every
// call. The biases are optional: affine has them, the floating modes have none.
int main() {
  try {
    const clmx::Stream stream = clmx::default_stream(clmx::default_device());
    std::vector<float> values(64 * 128);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = std::sin(0.37F * static_cast<float>(i));
    const clmx::Array w = clmx::Array::from(values, clmx::Shape{64, 128});
    const clmx::Array x = clmx::Array::from(std::vector<float>(128, 0.5F), clmx::Shape{1, 128});
    const std::vector<float> exact = clmx::matmul(x, w, true, stream).to_vector<float>();

    // Of a product of 128 terms whose largest result is 2.7.
    const std::map<std::string, float> allowed{
        {"affine", 1}, {"mxfp4", 2.6F}, {"mxfp8", 0.25F}, {"nvfp4", 1.5F}};
    for (const auto& [mode, bound] : allowed) {
      // Sizes that are not given are the mode's own: 64 and 4, 32 and 4, 32 and 8, 16 and 4.
      const auto [packed, scales, biases] = clmx::quantize(w, {}, {}, mode, {}, stream);
      const clmx::Array y =
          clmx::quantized_matmul(x, packed, scales, biases, true, {}, {}, mode, {}, stream);
      const clmx::Array back =
          clmx::dequantize(packed, scales, biases, {}, {}, mode, {}, clmx::DType::f32, stream);

      const float of_products = largest_difference(y.to_vector<float>(), exact);
      const float of_weights = largest_difference(back.to_vector<float>(), values);
      std::cout << mode << ": biases " << (biases ? "given" : "none")
                << ", largest error of a weight " << of_weights << ", of the product "
                << of_products << '\n';
      if (biases.has_value() != (mode == "affine")) return 1;
      if (!(of_weights <= 0.25F) || !(of_products <= bound)) return 1;
    }
  } catch (const clmx::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
