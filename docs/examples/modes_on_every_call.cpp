#include <cmath>
#include <iostream>

#include "clmx/devices/device.hpp"
#include "clmx/devices/error.hpp"
#include "clmx/host/ops.hpp"

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

    for (const char* mode : {"affine", "mxfp4", "mxfp8", "nvfp4"}) {
      // Sizes that are not given are the mode's own: 64 and 4, 32 and 4, 32 and 8, 16 and 4.
      const auto [packed, scales, biases] = clmx::quantize(w, {}, {}, mode, {}, stream);
      const clmx::Array y =
          clmx::quantized_matmul(x, packed, scales, biases, true, {}, {}, mode, {}, stream);
      const clmx::Array back =
          clmx::dequantize(packed, scales, biases, {}, {}, mode, {}, {}, stream);

      const std::vector<float> got = y.to_vector<float>();
      float worst = 0;
      for (std::size_t i = 0; i < got.size(); ++i)
        worst = std::max(worst, std::fabs(got[i] - exact[i]));
      std::cout << mode << ": biases " << (biases ? "given" : "none") << ", " << back.shape()
                << " of " << back.dtype() << ", largest error of the product " << worst << '\n';
      if (biases.has_value() != (std::string(mode) == "affine") || worst > 4) return 1;
    }
  } catch (const clmx::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
